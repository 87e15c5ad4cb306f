// The chat: conversations at the left, the current one in the middle, an opened source at the right.

import { documents } from "../api/api.js";
import { t } from "../language/texts.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../shared/dom.js";
import { useChat } from "./chat_state.js";
import { Composer } from "./composer.js";
import { ConversationList } from "./conversation_list.js";
import { askRequest, DEFAULT_OPTIONS, versionsOf } from "./conversations.js";
import { SourcePanel } from "./source_panel.js";
import { Turn } from "./turn.js";

const NEAR_END_PX = 80;

export function Chat({ stores, isShown }) {
  const chat = useChat();
  const [draft, setDraft] = useState("");
  const [edited, setEdited] = useState(null);
  const [opened, setOpened] = useState(null);
  const turns = chat.current?.turns ?? [];
  const last = turns.at(-1);
  const isRunning = last?.state === "running";
  const openedTurn = turns.flatMap((turn) => [turn, ...versionsOf(turn)]).find((turn) => turn.id === opened?.turnId);
  const isEditing = last !== undefined && last.id === edited;
  const edit = (turn) => {
    setDraft(turn?.question ?? "");
    setEdited(turn?.id ?? null);
  };
  const ask = (question) => {
    chat.ask(question, isEditing ? turns.slice(0, -1) : turns);
    edit(null);
    setOpened(null);
  };
  return html`
    <div class=${`chat ${openedTurn ? "with-source" : ""}`}>
      <${ConversationList} chat=${chat} />
      <section class="conversation" aria-label=${t("chat.conversation")}>
        <${Thread} turns=${turns}>
          ${turns.length === 0 && html`<${Welcome} store=${chat.options.store} isShown=${isShown} stores=${stores} />`}
          ${turns.map(
            (turn, place) => html`
              <${Turn}
                key=${turn.id}
                turn=${turn}
                isLast=${turn === last}
                openedIn=${(version) => (version === openedTurn ? opened.index : 0)}
                onOpenSource=${(version, index, occurrence) => setOpened({ turnId: version.id, index, occurrence })}
                onAskAgain=${() => chat.askAgain(turn)}
                onEdit=${() => edit(turn)}
                onWhy=${() => openWhy(turn, turns.slice(0, place))}
              />
            `,
          )}
        <//>
        <p class="sr-only" role="status">${last && last.state !== "running" ? t(`chat.status.${last.state}`) : ""}</p>
        <${Composer}
          draft=${draft}
          onDraft=${setDraft}
          isRunning=${isRunning}
          isEditing=${isEditing}
          onCancelEdit=${() => edit(null)}
          onAsk=${ask}
          onStop=${() => chat.stop()}
          options=${chat.options}
          onOptions=${chat.setOptions}
          stores=${stores}
        />
      </section>
      ${openedTurn &&
      html`<${SourcePanel}
        turns=${turns}
        turn=${openedTurn}
        opened=${opened}
        onOpen=${(index) => setOpened({ ...opened, index, occurrence: 0 })}
        onClose=${() => setOpened(null)}
      />`}
    </div>
  `;
}

/** Open the view "Why" with the search that this turn was answered from. */
async function openWhy(turn, earlier) {
  const { addressOf, stateOfRequest } = await import("../why/state.js");
  const options = { ...DEFAULT_OPTIONS, ...(turn.options ?? { store: turn.store }) };
  const style = turn.style ?? options.style; // the style that the answer has, as soon as it is known
  location.hash = addressOf(stateOfRequest(askRequest(turn.question, earlier, { ...options, style })));
}

/** The scrolling list of turns. It follows the end of a growing answer, unless the reader has scrolled up. */
function Thread({ turns, children }) {
  const box = useRef();
  const follows = useRef(true);
  const width = useRef(0);
  const count = useRef(0);
  useLayoutEffect(() => {
    const isNew = turns.length > count.current;
    count.current = turns.length;
    if (follows.current || isNew) box.current.scrollTop = box.current.scrollHeight;
  }, [turns]);
  useEffect(() => {
    // The field below has grown, or a source was opened beside it.
    const observer = new ResizeObserver(() => {
      if (follows.current) box.current.scrollTop = box.current.scrollHeight;
      width.current = box.current.clientWidth;
    });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  const noteScroll = ({ currentTarget: it }) => {
    if (it.clientWidth !== width.current) return; // the text was wrapped anew, which moves it
    follows.current = it.scrollHeight - it.scrollTop - it.clientHeight < NEAR_END_PX;
  };
  return html`<div class="thread" ref=${box} onScroll=${noteScroll}><div class="turns">${children}</div></div>`;
}

function Welcome({ store, isShown, stores }) {
  const [isEmpty, setIsEmpty] = useState(false);
  useEffect(() => {
    if (!isShown) return;
    documents(store, "", { limit: 1 }).then(
      (page) => setIsEmpty(page.data.length === 0),
      () => setIsEmpty(false),
    );
  }, [store, isShown, stores]);
  return html`
    <div class="welcome">
      <h2>${t("chat.welcome")}</h2>
      <p>${t("chat.welcome_text")}</p>
      ${isEmpty && html`<p class="notice">${t("chat.no_documents")} <a href="#documents">${t("chat.add_documents")}</a></p>`}
      ${stores.error && html`<${Trouble} error=${stores.error} />`}
    </div>
  `;
}

/** A service that is starting is no failure: the page asks again until it is ready. */
const Trouble = ({ error }) =>
  error.code === "starting"
    ? html`<p class="notice" role="status">${t("chat.starting", { reason: error.message })}</p>`
    : html`<p class="failure" role="alert">${error.message}</p>`;
