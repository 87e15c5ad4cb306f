// Small plots. Their numbers stand beside them as text, so the drawings are hidden from screen readers.

import { html } from "./dom.js";

const COLOURS = 4;
const colour = (place) => `c${(place % COLOURS) + 1}`;

/** Parts of a whole as one bar, with a legend. Each part is `{name, value, text}`. */
export function Bar({ title, parts }) {
  const shown = parts.filter((part) => part.value > 0);
  return html`
    <figure class="bar-plot">
      <figcaption>${title}</figcaption>
      <div class="bar" aria-hidden="true">
        ${shown.map((part, place) => html`<span class=${colour(place)} style=${{ flexGrow: String(part.value) }}></span>`)}
      </div>
      <ul class="legend">
        ${shown.map((part, place) => html`<li><span class=${`key ${colour(place)}`} aria-hidden="true"></span>${part.name} ${part.text}</li>`)}
      </ul>
    </figure>
  `;
}

/** Values with their confidence intervals on a scale from 0 to 1. Each row is `{name, group, value, low, high}`. */
export function Intervals({ rows, groups }) {
  return html`
    <div class="intervals" aria-hidden="true">
      ${rows.map(
        ({ name, group, value, low, high }) => html`
          <span class="name"><bdi>${name}</bdi></span>
          <svg class=${colour(groups.indexOf(group))} viewBox="0 0 100 10" preserveAspectRatio="none">
            <path class="grid" d="M0 0V10M25 0V10M50 0V10M75 0V10M100 0V10" />
            <path class="range" d="M${low * 100} 5H${high * 100}" />
            <path class="point" d="M${value * 100} 1V9" />
          </svg>
        `,
      )}
      <span></span><span class="axis"><span>0</span><span>0.25</span><span>0.5</span><span>0.75</span><span>1</span></span>
    </div>
    <${Legend} names=${groups} />
  `;
}

const Legend = ({ names }) => html`
  <ul class="legend" aria-hidden="true">
    ${names.map((name, place) => html`<li><span class=${`key ${colour(place)}`}></span><bdi>${name}</bdi></li>`)}
  </ul>
`;

/** Lines over x and y from 0 to 1. Each line is `{name, points: [[x, y]]}`; `at` is an x to mark. */
export function Curves({ lines, at, xName }) {
  const path = (points) => points.map(([x, y], place) => `${place ? "L" : "M"}${x * 100} ${100 - y * 100}`).join("");
  return html`
    <div class="curves" aria-hidden="true">
      <span class="axis upright"><span>1</span><span>0</span></span>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none">
        <path class="grid" d="M0 0H100M0 50H100M0 100H100M0 0V100M50 0V100M100 0V100" />
        ${lines.map(({ points }, place) => html`<path class=${`line ${colour(place)}`} d=${path(points)} />`)}
        ${at !== undefined && html`<path class="mark" d="M${at * 100} 0V100" />`}
      </svg>
      <span></span><span class="axis"><span>0</span><span>${xName}</span><span>1</span></span>
    </div>
    <${Legend} names=${lines.map((line) => line.name)} />
  `;
}

/** The course of a value, oldest first; null where it is not known. */
export function Sparkline({ values }) {
  const highest = Math.max(...values.filter(Number.isFinite), 0) || 1;
  const step = 100 / Math.max(values.length - 1, 1);
  let d = "";
  values.forEach((value, place) => {
    if (!Number.isFinite(value)) return;
    const command = Number.isFinite(values[place - 1]) ? "L" : "M";
    d += `${command}${place * step} ${29 - (value / highest) * 28}`;
  });
  return html`
    <svg class="spark" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <path class="grid" d="M0 29H100" />
      <path class="line c1" d=${d || "M0 0"} />
    </svg>
  `;
}
