// Reads Prometheus metrics, and what changed between two readings.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const PREFIXES = ["rag_", "vllm:"];

/** One reading of `/metrics`: a sum of the values of a name, of those whose labels match. */
export class Reading {
  constructor(text, time) {
    this.time = time;
    this.samples = new Map();
    for (const line of text.split("\n")) {
      const match = PREFIXES.some((prefix) => line.startsWith(prefix)) && LINE.exec(line);
      if (match) this.#add(match[1], labelsOf(match[2] ?? ""), Number(match[3]));
    }
  }

  #add(name, labels, value) {
    if (!this.samples.has(name)) this.samples.set(name, []);
    this.samples.get(name).push({ labels, value });
  }

  all(name, wanted = {}) {
    const fits = ({ labels }) => Object.entries(wanted).every(([label, value]) => labels[label] === value);
    return (this.samples.get(name) ?? []).filter(fits);
  }

  /** NaN if there is no such metric. */
  sum(name, wanted) {
    const found = this.all(name, wanted);
    return found.length ? found.reduce((total, { value }) => total + value, 0) : NaN;
  }
}

function labelsOf(text) {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, value.replace(/\\(.)/g, "$1")]));
}

/** The increase of a counter per second between two readings. A counter that has become lower was restarted at 0. */
export function rate(before, after, name, wanted) {
  const seconds = (after.time - before.time) / 1000;
  const [earlier, later] = [before.sum(name, wanted), after.sum(name, wanted)];
  return (later >= earlier ? later - earlier : later) / seconds;
}

/** A quantile of what a histogram counted between two readings, in its own unit; NaN if it counted nothing. */
export function quantile(share, before, after, name, wanted) {
  const buckets = cumulative(after, name, wanted);
  const earlier = cumulative(before, name, wanted);
  const counts = [...buckets].map(([bound, value]) => [bound, Math.max(0, value - (earlier.get(bound) ?? 0))]);
  const total = counts.at(-1)?.[1] ?? 0;
  if (!total) return NaN;
  let [lowBound, below] = [0, 0];
  for (const [bound, value] of counts) {
    if (value >= share * total) {
      if (bound === Infinity) return lowBound;
      return lowBound + ((bound - lowBound) * (share * total - below)) / (value - below);
    }
    [lowBound, below] = [bound, value];
  }
  return NaN;
}

function cumulative(reading, name, wanted) {
  const buckets = new Map();
  for (const { labels, value } of reading.all(`${name}_bucket`, wanted)) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return new Map([...buckets].sort(([one], [other]) => one - other));
}
