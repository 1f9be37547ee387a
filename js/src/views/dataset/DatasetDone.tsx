import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import * as format from "../../data/format";
import type { Replies } from "../../wire/protocol";
import { CheckIcon, CopyIcon, WarningIcon } from "../ui/icons";
import { Path } from "../ui/Path";
import { Reason } from "../ui/Reason";

interface DatasetDoneProps {
  result: Replies["create"];
  onAgain: () => void;
  onDone: () => void;
}

/** What was written, where it is, and what became of sending it. */
export function DatasetDone({ result, onAgain, onDone }: DatasetDoneProps) {
  const { name, path, images, bytes, removed, project_url, problem } = result;
  const code = useRef<HTMLElement>(null);
  const copied = useSignal(false);

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(path);
      copied.value = true;
    } catch {
      // Pages without TLS have no clipboard: what is selected can be copied by hand.
      const range = document.createRange();
      range.selectNodeContents(code.current!);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
    }
  };
  return (
    <>
      <div class="dataset-done">
        <p role="status" class="written">
          <CheckIcon />
          <span>
            Dataset <strong>“{name}”</strong> written: {format.images(images)},{" "}
            {format.bytes(bytes)}, {format.count(removed)} left out.
          </span>
        </p>
        <div class="path">
          <code ref={code}>
            <Path path={path} />
          </code>
          <button
            type="button"
            class="plain"
            aria-label="Copy the path"
            title={copied.value ? "Copied" : "Copy the path"}
            onClick={copy}
          >
            {copied.value ? <CheckIcon /> : <CopyIcon />}
          </button>
        </div>
        {project_url !== null && /^https?:/.test(project_url) && (
          <p>
            Sent to Label Studio:{" "}
            <a href={project_url} target="_blank" rel="noopener noreferrer">
              {project_url}
            </a>
          </p>
        )}
        {problem !== null && (
          <div class="banner" role="alert">
            <WarningIcon />
            <span>
              <Reason text={problem} />
            </span>
          </div>
        )}
      </div>
      <footer class="dialog-foot">
        <button type="button" onClick={onAgain}>
          Create another
        </button>
        <button data-first type="button" class="primary" onClick={onDone}>
          Done
        </button>
      </footer>
    </>
  );
}
