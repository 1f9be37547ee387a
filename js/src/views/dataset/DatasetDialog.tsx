import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { count, sentence } from "../../data/format";
import type { DatasetMaker, Draft, Source, Work } from "../../state/dataset";
import type { ExplorerState } from "../../state/explorer";
import type { DatasetForm } from "../../wire/protocol";
import { LostBanner } from "../ui/Banner";
import { CloseIcon } from "../ui/icons";
import { Reason } from "../ui/Reason";
import { DatasetCounts } from "./DatasetCounts";
import { DatasetDone } from "./DatasetDone";

/** What the dialog opens for; no source stands for what is most likely meant. */
export interface Opening {
  source?: Source;
}

interface CreateDatasetProps {
  state: ExplorerState;
  opening: Signal<Opening | null>;
}

/** The button that opens the dialog, and the dialog. */
export function CreateDataset({ state, opening }: CreateDatasetProps) {
  const work = state.dataset.work.value;
  return (
    <>
      <button
        type="button"
        class="primary"
        aria-haspopup="dialog"
        onClick={() => {
          opening.value = {};
        }}
      >
        {work.kind === "running" ? (
          `Creating dataset… ${percent(work)}`
        ) : (
          <>
            <span class="roomy">Create </span>
            <span class="capital">dataset…</span>
          </>
        )}
      </button>
      {opening.value && (
        <Dialog
          state={state}
          source={opening.value.source}
          onClosed={() => {
            opening.value = null;
          }}
        />
      )}
    </>
  );
}

interface DialogProps {
  state: ExplorerState;
  source?: Source;
  onClosed: () => void;
}

function Dialog({ state, source, onClosed }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const maker = state.dataset;
  const work = maker.work.value;
  useLayoutEffect(() => {
    const close = maker.open(source);
    element.current!.showModal();
    return close;
  }, [maker]);
  useLayoutEffect(() => {
    const first = element.current!.querySelector<HTMLElement>("[data-first]");
    first?.focus();
    if (first instanceof HTMLInputElement) first.select();
  }, [work.kind]);
  const close = () => element.current!.close();
  return (
    <dialog
      ref={element}
      class="dataset"
      aria-labelledby="dataset-title"
      onClose={onClosed}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <header class="dialog-head">
        <h2 id="dataset-title">Create dataset</h2>
        <button type="button" class="plain" aria-label="Close" onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <LostBanner rpc={state.rpc} />
      {work.kind === "draft" && <DraftForm state={state} onCancel={close} />}
      {work.kind === "running" && <Running maker={maker} work={work} onHide={close} />}
      {work.kind === "done" && (
        <DatasetDone
          result={work.result}
          onAgain={() => maker.again()}
          onDone={() => {
            maker.again();
            close();
          }}
        />
      )}
    </dialog>
  );
}

const MODES: { mode: DatasetForm["mode"]; label: string }[] = [
  { mode: "hardlink", label: "Hardlinks: no extra space" },
  { mode: "copy", label: "Copies" },
  { mode: "symlink", label: "Symbolic links" },
  { mode: "paths", label: "Paths only" },
];

const FORMATS: { format: DatasetForm["format"]; label: string }[] = [
  { format: "imagefolder", label: "Hugging Face imagefolder" },
  { format: "webdataset", label: "WebDataset shards" },
];

function DraftForm({ state, onCancel }: { state: ExplorerState; onCancel: () => void }) {
  const maker = state.dataset;
  const draft = maker.draft.value;
  const mergeable = state.frame.value?.mergeable ?? [];

  const text = (key: TextKey) => ({
    value: draft[key],
    onInput: (event: { currentTarget: { value: string } }) =>
      maker.set({ [key]: event.currentTarget.value }),
  });
  const shards = draft.format === "webdataset";
  return (
    <form
      class="dataset-form"
      onSubmit={(event) => {
        event.preventDefault();
        void maker.submit();
      }}
    >
      <div class="dataset-body">
        <div class="dataset-fields">
          <Field label="Images">
            <SourceSelect maker={maker} />
          </Field>
          <Field label="Dataset name">
            <input data-first type="text" required maxLength={200} {...text("name")} />
          </Field>
          <Field label="Description">
            <textarea rows={2} {...text("description")} />
          </Field>
          <Field label="Project name">
            <input type="text" maxLength={200} {...text("project")} />
          </Field>
          <Field label="Project description">
            <textarea rows={2} {...text("project_description")} />
          </Field>
          <div class="pair">
            <Field label="Format">
              <select
                value={draft.format}
                onChange={(event) =>
                  maker.set({ format: event.currentTarget.value as DatasetForm["format"] })
                }
              >
                {FORMATS.map(({ format, label }) => (
                  <option key={format} value={format}>
                    {label}
                  </option>
                ))}
              </select>
            </Field>
            <Field label="Files">
              <select
                value={shards ? "copy" : draft.mode}
                disabled={shards}
                title={shards ? "Shards hold copies of the images" : undefined}
                onChange={(event) =>
                  maker.set({ mode: event.currentTarget.value as DatasetForm["mode"] })
                }
              >
                {MODES.map(({ mode, label }) => (
                  <option key={mode} value={mode}>
                    {label}
                  </option>
                ))}
              </select>
            </Field>
          </div>
          <Field label="Folder of datasets">
            <input type="text" {...text("root")} />
          </Field>
          <label class="switch" title="Otherwise each picture is in the dataset once">
            <input
              type="checkbox"
              checked={draft.copies}
              onChange={(event) => maker.set({ copies: event.currentTarget.checked })}
            />
            Keep exact copies in it ({count(maker.preview.value?.copies ?? 0)})
          </label>
          {state.frame.value?.summary.leakage != null && (
            <label class="switch" title="Otherwise all images are in one split, train">
              <input
                type="checkbox"
                checked={draft.splits}
                onChange={(event) => maker.set({ splits: event.currentTarget.checked })}
              />
              A folder for each split
            </label>
          )}
          {mergeable.length > 0 && (
            <label class="switch">
              <input
                type="checkbox"
                checked={draft.merge}
                onChange={(event) => maker.set({ merge: event.currentTarget.checked })}
              />
              Carry {mergeable.join(", ")} of left-out duplicates over to their keepers
            </label>
          )}
          <label class="switch">
            <input
              type="checkbox"
              checked={draft.send}
              onChange={(event) => maker.set({ send: event.currentTarget.checked })}
            />
            Send to Label Studio
          </label>
          {draft.send && (
            <div class="pair">
              <Field label="Server">
                <input type="text" placeholder={FROM_ENVIRONMENT} {...text("url")} />
              </Field>
              <Field label="Token">
                <input
                  type="password"
                  autocomplete="off"
                  placeholder={FROM_ENVIRONMENT}
                  {...text("token")}
                />
              </Field>
            </div>
          )}
        </div>
        <DatasetCounts maker={maker} />
      </div>
      <footer class="dialog-foot">
        <span role="alert" class="failed">
          <Reason text={sentence(maker.failure.value ?? maker.problem.value ?? "")} />
        </span>
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!maker.ready.value}>
          Submit
        </button>
      </footer>
    </form>
  );
}

type TextKey = Exclude<
  keyof Draft,
  "source" | "copies" | "merge" | "splits" | "mode" | "format" | "send"
>;

const FROM_ENVIRONMENT = "from the environment";

function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label class="stacked">
      <span>{label}</span>
      {children}
    </label>
  );
}

function SourceSelect({ maker }: { maker: DatasetMaker }) {
  const choices = maker.choices.value;
  const present = JSON.stringify(maker.draft.value.source);
  return (
    <select
      value={present}
      onChange={(event) => maker.set({ source: JSON.parse(event.currentTarget.value) as Source })}
    >
      {choices.map(({ source, text }) => {
        const value = JSON.stringify(source);
        return (
          <option key={value} value={value}>
            {text}
          </option>
        );
      })}
    </select>
  );
}

type RunningWork = Extract<Work, { kind: "running" }>;

interface RunningProps {
  maker: DatasetMaker;
  work: RunningWork;
  onHide: () => void;
}

function Running({ maker, work, onHide }: RunningProps) {
  const { done, total, text, stopping } = work;
  const doing = stopping ? "Stopping" : text === "" ? "Preparing" : text;
  const label = `${doing[0].toUpperCase()}${doing.slice(1)}…`;
  return (
    <>
      <div class="dataset-running" role="status">
        <span>
          {label} <span class="n">{percent(work)}</span>
        </span>
        {total > 0 ? (
          <progress max={total} value={done} aria-label={label} />
        ) : (
          <progress aria-label={label} />
        )}
      </div>
      <footer class="dialog-foot">
        {stopping ? (
          <button type="button" onClick={() => maker.abandon()}>
            Don’t wait
          </button>
        ) : (
          <button type="button" onClick={() => maker.stop()}>
            Cancel
          </button>
        )}
        <button data-first type="button" title="It goes on meanwhile" onClick={onHide}>
          Hide
        </button>
      </footer>
    </>
  );
}

function percent({ done, total }: RunningWork): string {
  return total > 0 ? `${Math.floor((100 * done) / total)} %` : "";
}
