/** Whether the platform's own modifier is Cmd. */
const isApple = () => /Mac|iP(hone|ad)/.test(navigator.platform);

export interface Modifiers {
  /** Ctrl or Cmd. */
  toggle: boolean;
  shift: boolean;
}

export function modifiers(event: MouseEvent | KeyboardEvent): Modifiers {
  // Ctrl-click opens the context menu on a Mac.
  return { toggle: isApple() ? event.metaKey : event.ctrlKey, shift: event.shiftKey };
}

/** Where typing has an undo of its own, and what covers all that could be undone. */
const ELSEWHERE =
  "dialog, textarea, select, input:not([type=range], [type=checkbox], [type=radio])";

/** The step through the history that a key asks for, unless it is meant for a text field. */
export function historyStep(event: KeyboardEvent): "undo" | "redo" | null {
  const { toggle, shift } = modifiers(event);
  if (!toggle || event.altKey || (event.target as Element).closest(ELSEWHERE)) return null;
  const key = event.key.toLowerCase();
  if (key === "z") return shift ? "redo" : "undo";
  return key === "y" && !shift ? "redo" : null;
}

/** What a key that is typed anywhere but in a text field opens. */
export function opens(event: KeyboardEvent): "filter" | "keys" | null {
  const { toggle } = modifiers(event);
  if (toggle || event.altKey || (event.target as Element).closest(ELSEWHERE)) return null;
  return event.key === "/" ? "filter" : event.key === "?" ? "keys" : null;
}

/** The keys of the grid, for people to read. */
export function keyHelp(): { keys: string[]; does: string }[] {
  const command = isApple() ? "⌘" : "Ctrl";
  return [
    { keys: ["← → ↑ ↓", "Page Up", "Page Down", "Home", "End"], does: "move" },
    { keys: ["[ ]", ", ."], does: "previous group, next group" },
    { keys: ["Space"], does: "select or deselect the image" },
    { keys: ["Shift + arrows"], does: "select up to there" },
    { keys: [`${command} + A`], does: "select all shown, and nothing else" },
    { keys: [`${command} + Shift + A`], does: "add all shown to the selection" },
    { keys: ["Escape"], does: "select nothing" },
    { keys: ["Enter", "double click"], does: "look at it large, beside its group" },
    { keys: ["S"], does: "similar items" },
    { keys: ["K"], does: "keep this one, or take that back" },
    { keys: ["N"], does: "not a duplicate, or take that back" },
    { keys: ["/"], does: "find a file by its name" },
    { keys: ["?"], does: "these keys" },
    { keys: [`${command} + Z`], does: "undo" },
    { keys: [`${command} + Shift + Z`, `${command} + Y`], does: "redo" },
  ];
}

/** The keys of the review, for people to read. */
export function compareKeyHelp(): { keys: string[]; does: string }[] {
  const command = isApple() ? "⌘" : "Ctrl";
  return [
    { keys: ["Enter"], does: "take the plan for this group, and go to the next" },
    { keys: ["↑", "↓"], does: "previous or next group" },
    { keys: ["←", "→"], does: "another image of the group" },
    { keys: ["K"], does: "keep this one, or take that back" },
    { keys: ["X"], does: "it stays, or goes" },
    { keys: ["B"], does: "keep both" },
    { keys: ["N"], does: "not a duplicate, or take that back" },
    { keys: ["U"], does: "undecided: take back what was decided here" },
    { keys: ["1", "2", "3", "4", "5"], does: "side by side, flip, split, difference, all" },
    { keys: ["Space"], does: "hold for the other picture" },
    { keys: ["Z"], does: "the whole picture, or pixel for pixel" },
    { keys: ["+", "−", "wheel"], does: "zoom" },
    { keys: [`${command} + Z`, `${command} + Y`], does: "undo, redo" },
    { keys: ["Esc"], does: "back to the grid" },
  ];
}
