// Numbers and times as the reader's language writes them.

import { locale } from "./texts.js";

const UNKNOWN = "–";

const written = (value, options) =>
  Number.isFinite(value) ? new Intl.NumberFormat(locale, options).format(value) : UNKNOWN;

/** With exactly so many decimals. */
export const fixed = (value, digits = 3) =>
  written(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A whole number. */
export const count = (value) => written(value, { maximumFractionDigits: 0 });

/** A number with at most three significant digits, such as a rate. */
export const short = (value) => written(value, { maximumSignificantDigits: 3, notation: "compact" });

export const milliseconds = (value) => (Number.isFinite(value) ? `${fixed(value, value < 10 ? 1 : 0)} ms` : UNKNOWN);

/** A share of one. */
export const percent = (share) => written(share, { style: "percent" });

/** A size in bytes with its unit; nothing if it is not known. */
export function readableBytes(bytes) {
  if (bytes === null || bytes === undefined) return "";
  const units = ["B", "kB", "MB", "GB"];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** unit).toLocaleString(locale, { maximumFractionDigits: unit ? 1 : 0 })} ${units[unit]}`;
}

/** A span of time in its largest unit. */
export function duration(seconds) {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return written(Math.ceil(value), { style: "unit", unit, unitDisplay: "short" });
}

/** A Unix time in seconds. */
export const dateTime = (seconds) =>
  Number.isFinite(seconds) && seconds
    ? new Date(seconds * 1000).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" })
    : UNKNOWN;
