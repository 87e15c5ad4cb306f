// Asks a question and reports the state of its turn while the answer arrives.

import { ApiError, ask } from "../api/api.js";
import { errorText } from "../language/errors.js";
import { t } from "../language/texts.js";
import { askRequest } from "./conversations.js";

/** Ask `turn.question`; `report(turn)` is called at most once a frame, and at the end with the final state. */
export async function runTurn(turn, earlier, options, signal, report) {
  const frames = new FrameReporter(report);
  let current = turn;
  const change = (changes) => frames.report((current = { ...current, ...changes }));
  change({ options }); // so that the view "Why" can repeat the search
  try {
    let ended = false;
    for await (const { name, data } of ask(askRequest(turn.question, earlier, options), signal)) {
      change(changesOf(name, data, current));
      ended ||= name === "done" || name === "error";
    }
    if (!ended) throw new ApiError(t("error.lost"));
  } catch (error) {
    change(error.name === "AbortError" ? { state: "stopped" } : { state: "failed", error: plain(error) });
  }
  frames.flush();
}

function changesOf(name, data, turn) {
  switch (name) {
    case "sources":
      return { sources: data.sources };
    case "token":
      return { answer: turn.answer + data.text };
    case "done":
      return {
        state: "complete",
        finishReason: data.finish_reason,
        citations: data.citations ?? [],
        weaklySupported: data.weakly_supported ?? 0,
        style: data.style,
        confidence: data.confidence,
        note: data.note ?? "",
        noteCodes: data.note_codes ?? [],
      };
    case "error":
      return { state: "failed", error: plain({ ...data, message: errorText(data) }) };
    default:
      return {}; // such as the reasoning of a model, or what a later release sends
  }
}

const plain = (error) => ({ message: error.message, code: error.code ?? "", retryable: error.retryable ?? true });

/** Reports the latest value once a frame: tokens may arrive faster than the screen is drawn. */
class FrameReporter {
  constructor(report) {
    this.send = report;
    this.timer = 0;
  }

  report(value) {
    this.value = value;
    // A timer, because frames stop in a tab in the background.
    this.timer ||= setTimeout(() => this.flush(), 16);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.send(this.value);
  }
}
