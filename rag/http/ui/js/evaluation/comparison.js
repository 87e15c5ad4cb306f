// Compares two runs query by query, as `rag eval --compare` does.

import { t } from "../language/texts.js";

const COMPARED = {
  retrieval: ["ndcg@10", "recall@10", "recall@100", "mrr@10"],
  answers: ["exact_match", "f1", "abstained", "answered"],
};
const SIGNIFICANCE_LEVEL = 0.05;
const PERMUTATIONS = 9_999;

/**
 * The difference of each metric that both runs have, with the queries that both have. `p` is the one-sided p-value of a
 * loss, by a paired permutation test.
 */
export function differences(before, after) {
  return pairs(before, after).flatMap(({ set, config, old, now }) =>
    Object.entries(COMPARED).flatMap(([part, metrics]) =>
      metrics.flatMap((metric) => {
        const [earlier, later] = [old, now].map((each) => each.parts[part]?.perQuery[metric] ?? new Map());
        const ids = [...earlier.keys()].filter((id) => later.has(id));
        if (!ids.length) return [];
        const changes = ids.map((id) => later.get(id) - earlier.get(id));
        const p = lossPValue(changes.filter(Boolean));
        const means = [earlier, later].map((values) => mean(ids.map((id) => values.get(id))));
        const isLoss = means[1] < means[0] && p < SIGNIFICANCE_LEVEL;
        return [{ set: set.name, config: config.name, part, metric, before: means[0], after: means[1], p, isLoss, n: ids.length }];
      }),
    ),
  );
}

/** What limits the comparison: other documents, questions or options. */
export function warnings(before, after) {
  return after.sets.flatMap((set) => {
    const old = before.sets.find((each) => each.name === set.name);
    if (!old) return [t("eval.no_set", { set: set.name })];
    const content = old.corpusHash !== set.corpusHash ? "eval.other_documents" : old.hash !== set.hash ? "eval.other_queries" : "";
    const configs = set.configs.flatMap((config) => {
      const same = old.configs.find((each) => each.name === config.name);
      if (!same) return [t("eval.no_config", { set: set.name, config: config.name })];
      const isSame = JSON.stringify(same.request) === JSON.stringify(config.request);
      return isSame ? [] : [t("eval.other_options", { set: set.name, config: config.name })];
    });
    return [...(content ? [t(content, { set: set.name })] : []), ...configs];
  });
}

/** The queries whose value became lower, the largest loss first. */
export function worse(before, after, { set: setName, config, part, metric }) {
  const [oldSet, set] = [before, after].map((run) => run.sets.find((each) => each.name === setName));
  const [{ parts: { [part]: old } }, { request, parts: { [part]: now } }] = [oldSet, set].map((each) => each.configs.find(({ name }) => name === config));
  return [...old.perQuery[metric]]
    .map(([id, value]) => ({ id, before: value, after: now.perQuery[metric].get(id) }))
    .filter((each) => each.after < each.before)
    .sort((one, other) => one.after - one.before - (other.after - other.before))
    .map((each) => ({
      ...each,
      text: now.given[each.id]?.question || set.texts[each.id] || oldSet.texts[each.id] || each.id,
      relevant: set.relevant[each.id] ?? [],
      store: set.store,
      request,
      found: [old, now].map((run) => run.hits[each.id] ?? null),
      given: [old, now].map((run) => run.given[each.id] ?? null),
    }));
}

function pairs(before, after) {
  return after.sets.flatMap((set) => {
    const old = before.sets.find((each) => each.name === set.name);
    return set.configs.flatMap((config) => {
      const same = old?.configs.find((each) => each.name === config.name);
      return same ? [{ set, config, old: same, now: config }] : [];
    });
  });
}

/** How often random signs make the sum of the changes at most as high as it is. */
function lossPValue(changes) {
  if (!changes.length) return 1;
  const observed = sum(changes) + 1e-12;
  const exact = 2 ** changes.length <= PERMUTATIONS;
  const random = generator(0);
  const times = exact ? 2 ** changes.length : PERMUTATIONS;
  let lower = exact ? 0 : 1;
  for (let time = 0; time < (exact ? times : times - 1); time++) {
    let total = 0;
    changes.forEach((change, place) => (total += (exact ? (time >> place) & 1 : random() < 0.5) ? change : -change));
    if (total <= observed) lower += 1;
  }
  return lower / times;
}

/** Mulberry32: the same numbers each time, so that a comparison is repeatable. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;
