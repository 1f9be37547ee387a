import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { badgeOf, type Frame, inGroup, keptBeside } from "../data/frame";
import type { Modifiers } from "../data/keys";
import { groupRows, groupsIn, wereSeen } from "../data/reviewed";
import { type Affine, FIT, fitOver, IDENTITY, type Size, type Zoom } from "../data/zoom";
import { type Answer, Answers } from "../wire/answers";
import { Keep, type Replies } from "../wire/protocol";
import type { GridState } from "./grid";
import type { GridView } from "./grid-view";
import { Pictures, type Wanted } from "./pictures";

/** Ways to look at two pictures, in the order of their keys. */
export const MODES = ["side by side", "flip", "split", "difference", "all"] as const;
type Mode = (typeof MODES)[number];

/** By how much a difference is made stronger. */
export const GAINS = [1, 4, 16] as const;

/** Images that Python tells of at once. */
const MAX_TOLD = 500;
/** Pixels of a picture that is fetched before it is seen. */
const AHEAD = 1024;

type Told = Replies["beside"];
/** What is known of an image beside the one that it is compared with. */
export type Beside = Told["others"][number];

/** What is reviewed: the groups as they were when it began, or images one by one. */
type Course =
  | { kind: "groups"; frame: Frame; bands: Uint32Array }
  | { kind: "images"; rows: Uint32Array };

/** The review of groups, one after the other, in one display: two pictures, and what to decide. */
export class Compare {
  /** What is reviewed; null while the grid is shown. */
  readonly course: Signal<Course | null> = signal(null);
  /** Where in it. */
  readonly at = signal(0);
  /** The row that others are compared with, as it was when one last moved. */
  readonly base = signal(0);
  /** The row that is compared; the same as the base in a group of one. */
  readonly candidate = signal(0);
  readonly mode: Signal<Mode> = signal("side by side");
  /** Whether the other picture shows for now. */
  readonly flipped = signal(false);
  /** Where the two pictures meet, as a fraction of the width. */
  readonly split = signal(0.5);
  readonly gain: Signal<(typeof GAINS)[number]> = signal(1);
  readonly zoom: Signal<Zoom> = signal(FIT);
  /** What there is to say to the last key. */
  readonly notice: Signal<string | null> = signal(null);
  readonly keysShown = signal(false);
  /** CSS pixels that the view may take: as much as what it stands in for. */
  readonly height = signal(0);
  /** Tells that number; set by the view that makes room. */
  room: () => number = () => 0;

  readonly state: GridState;
  readonly pictures: Pictures;
  #view: GridView;
  #told = new Answers<Told>();
  /** Where each step of this review was made: undo comes back there. */
  #made: number[] = [];
  #undone: number[] = [];

  readonly count = computed(() => {
    const course = this.course.value;
    if (!course) return 0;
    return course.kind === "groups" ? course.bands.length : course.rows.length;
  });

  /** The rows of the group, in an order that no decision changes. */
  readonly members: ReadonlySignal<readonly number[]> = computed(() => {
    const course = this.course.value;
    return course ? membersAt(course, this.at.value) : [];
  });

  /** Whether all of the group was looked at together. */
  readonly isReviewed = computed(
    () => this.isGroup.value && wereSeen(this.state.reviewed.seen.value, this.members.value),
  );

  readonly isGroup = computed(() => this.course.value?.kind === "groups");

  /** How many of the members were decided by hand. */
  readonly decided = computed(() => {
    this.state.tiles.version.value;
    return this.members.value.filter((row) => {
      const info = this.state.tiles.get(row)?.info;
      return info?.chosen || info?.not_duplicate;
    }).length;
  });

  /** The group's facts, and what each other member is beside the base; null while unknown. */
  readonly told: ReadonlySignal<Answer<Told>> = computed(() =>
    this.#told.get(this.#question(this.base.value, this.members.value).id),
  );

  constructor(state: GridState, view: GridView, abort: AbortSignal) {
    this.state = state;
    this.#view = view;
    this.pictures = new Pictures(state.rpc, { signal: abort });
    view.open = (row) => this.open(row);
    const stops = [
      effect(() => this.#ask()),
      effect(() => {
        // Other images than those that are reviewed.
        if (state.frame.value === null) this.close();
      }),
      effect(() => {
        if (state.rpc.recovered.value > 0) this.pictures.retry();
      }),
    ];
    abort.addEventListener(
      "abort",
      () => {
        for (const stop of stops) stop();
        view.open = null;
      },
      { once: true },
    );
  }

  /**
   * Begin at the group of a row; of an image in none, or where nothing is reviewed, look at it
   * alone. Without a row begin at the first group that was not reviewed.
   */
  open(row: number | null): void {
    if (this.course.peek()) return;
    const frame = this.state.frame.peek();
    const shown = this.state.shown.peek();
    if (!frame || !shown) return;
    const isReview = this.state.review.info.peek() !== null;
    const isAlone = row !== null && !(isReview && inGroup(frame, row));
    let course: Course;
    let at: number;
    if (isAlone) {
      const { rows } = this.#view.items.peek();
      course = { kind: "images", rows };
      at = rows.indexOf(row);
    } else {
      let bands = groupsIn(frame, shown.items.rows);
      if (bands.length === 0 || (row !== null && !bands.includes(frame.band[row]))) {
        bands = groupsIn(frame, frame.bands.members);
      }
      if (bands.length === 0) return;
      course = { kind: "groups", frame, bands };
      const done = this.state.reviewed.bands.peek();
      at = row === null ? bands.findIndex((band) => !done?.[band]) : bands.indexOf(frame.band[row]);
    }
    batch(() => {
      this.height.value = this.room();
      this.course.value = course;
      this.mode.value = "side by side";
      this.#made = [];
      this.#undone = [];
      this.go(Math.max(0, at), row);
    });
  }

  close(): void {
    if (!this.course.peek()) return;
    batch(() => {
      this.course.value = null;
      this.keysShown.value = false;
      this.flipped.value = false;
    });
    this.pictures.clear();
    this.#told.clear();
    this.state.tiles.want(this, []);
  }

  /** Go to a group, there to a certain member or the first one that is not its keeper. */
  go(at: number, row: number | null = null): void {
    if (at < 0 || at >= this.count.peek()) {
      this.notice.value = at < 0 ? "This is the first one." : "This is the last one.";
      return;
    }
    batch(() => {
      this.at.value = at;
      this.notice.value = null;
      this.flipped.value = false;
      this.zoom.value = FIT;
      const members = this.members.peek();
      const base = this.#keeperOf(members, null);
      this.base.value = base;
      const other = members.find((member) => member !== base) ?? base;
      this.candidate.value = row !== null && row !== base && members.includes(row) ? row : other;
    });
  }

  /** Compare another member. */
  choose(row: number): void {
    if (row === this.base.peek()) return;
    batch(() => {
      this.notice.value = null;
      this.flipped.value = false;
      const base = this.#keeperOf(this.members.peek(), row);
      if (base !== this.base.peek()) this.base.value = base;
      this.candidate.value = row;
    });
  }

  /** The next member in the filmstrip, or the one before; of single images the next image. */
  step(by: 1 | -1): void {
    const members = this.members.peek();
    if (members.length < 2) {
      this.go(this.at.peek() + by);
      return;
    }
    const frame = this.state.frame.peek();
    const keepers = frame ? keepersAmong(frame, members) : [];
    let place = members.indexOf(this.candidate.peek());
    do place = (place + by + members.length) % members.length;
    while (keepers.length === 1 && members[place] === keepers[0]);
    this.choose(members[place]);
  }

  /** What can be decided of a member, and what was. */
  statusOf(row: number): Status {
    const frame = this.state.frame.value;
    this.state.tiles.version.value;
    const info = this.state.tiles.get(row)?.info;
    const apart = info?.not_duplicate === true && frame !== null && !inGroup(frame, row);
    return {
      badge: frame ? badgeOf(frame, row) : null,
      goes: frame?.keep[row] === Keep.goes,
      chosen: info?.chosen === true,
      apart,
    };
  }

  /** Where the values of a member stand among its group's facts; -1 where it was not asked for. */
  placeOf(row: number): number {
    if (row === this.base.value) return 0;
    const at = this.#question(this.base.value, this.members.value).others.indexOf(row);
    return at < 0 ? -1 : at + 1;
  }

  besideOf(row: number): Beside | null {
    return this.told.value.data?.others[this.placeOf(row) - 1] ?? null;
  }

  /** How the candidate lies on the base; where that is not known, in its middle. */
  mapOf(row: number): { map: Affine; known: boolean } {
    const base = this.base.value;
    if (row === base) return { map: IDENTITY, known: true };
    const found = this.besideOf(row)?.map;
    if (found) return { map: found, known: true };
    const [own, other] = [this.sizeOf(row), this.sizeOf(base)];
    return { map: own && other ? fitOver(own, other) : IDENTITY, known: false };
  }

  /** The picture in pixels, as far as that is known. */
  sizeOf(row: number): Size | null {
    this.pictures.version.value;
    this.state.tiles.version.value;
    const size = this.pictures.get(row)?.size;
    if (size) return size;
    const tile = this.state.tiles.get(row);
    const { width, height } = tile?.info ?? {};
    if (width && height) return { width, height };
    return tile?.picture ? { width: tile.picture.width, height: tile.picture.height } : null;
  }

  /** Fetch what is shown, then what is likely to be shown next. */
  want(shown: readonly Wanted[]): void {
    const course = this.course.peek();
    if (!course) return;
    const members = this.members.peek();
    const at = this.at.peek();
    const place = members.indexOf(this.candidate.peek());
    const next = at + 1 < this.count.peek() ? membersAt(course, at + 1) : [];
    const ahead = [...members.slice(place + 1, place + 2), ...next.slice(0, 2)];
    const rows = new Set(shown.map(({ row }) => row));
    this.pictures.want([
      ...shown,
      ...ahead.filter((row) => !rows.has(row)).map((row) => ({ row, side: AHEAD, box: null })),
    ]);
  }

  // Decisions

  /** Make the candidate the keeper, or take that back. */
  keep(): void {
    const row = this.candidate.peek();
    if (!this.#decides()) return;
    const { chosen } = this.statusOf(row);
    this.#did(() => this.state.review.keep(row, !(chosen && this.#staying().length === 1)));
  }

  /** Let the candidate stay beside the keeper, or go. */
  toggleGoes(): void {
    const row = this.candidate.peek();
    if (!this.#decides()) return;
    const { goes, apart } = this.statusOf(row);
    const others = this.#staying().filter((other) => other !== row);
    if (goes) this.#choose([...others, row], []);
    else if (apart) this.#did(() => this.state.review.notDuplicates([row], false));
    else if (others.length > 0) this.#choose(others, [row]);
    else this.notice.value = "One image of each group stays. Choose another one to keep with K.";
  }

  keepBoth(): void {
    if (!this.#decides()) return;
    const both = [this.base.peek(), this.candidate.peek()];
    const staying = this.#staying();
    const isDone = both.every((row) => this.statusOf(row).chosen && staying.includes(row));
    if (isDone) this.notice.value = "Both stay already.";
    else this.#choose([...new Set([...staying, ...both])], []);
  }

  /** Declare the candidate no duplicate, or take that back. */
  notDuplicate(): void {
    const row = this.candidate.peek();
    if (!this.#decides()) return;
    const marked = this.state.tiles.get(row)?.info.not_duplicate ?? false;
    const frame = this.state.frame.peek();
    if (!marked && frame && keptBeside(frame, row)) {
      this.notice.value = "Its pixels are those of another image. Press B to keep both.";
      return;
    }
    this.#did(() => this.state.review.notDuplicates([row], !marked));
  }

  /** Take back what was decided of this group. */
  undecide(): void {
    if (!this.#decides()) return;
    const { review, tiles } = this.state;
    const members = this.members.peek();
    const marked = (name: "chosen" | "not_duplicate") =>
      members.filter((row) => tiles.get(row)?.info[name]);
    const [chosen, apart] = [marked("chosen"), marked("not_duplicate")];
    if (chosen.length > 0) this.#choose([], chosen);
    if (apart.length > 0) this.#did(() => review.notDuplicates(apart, false));
    if (this.isReviewed.peek()) this.#review(false);
    if (chosen.length + apart.length === 0) this.notice.value = "Nothing is decided here.";
  }

  /** Take the plan for this group as it is, and go on. */
  accept(): void {
    if (this.#decides() && !this.isReviewed.peek()) this.#review(true);
    const isLast = this.at.peek() + 1 === this.count.peek();
    if (!isLast) this.go(this.at.peek() + 1);
    else if (this.isGroup.peek()) this.notice.value = "That was the last group. Esc goes back.";
  }

  undo(): void {
    const place = this.#made.pop();
    if (place === undefined && this.state.review.info.peek()?.undo == null) return;
    if (place !== undefined) {
      this.#undone.push(place);
      if (place !== this.at.peek()) this.go(place);
    }
    void this.state.review.undo();
  }

  redo(): void {
    const place = this.#undone.pop();
    if (place === undefined && this.state.review.info.peek()?.redo == null) return;
    if (place !== undefined) {
      this.#made.push(place);
      if (place !== this.at.peek()) this.go(place);
    }
    void this.state.review.redo();
  }

  // Looking

  setMode(mode: Mode): void {
    batch(() => {
      this.mode.value = mode;
      this.flipped.value = false;
    });
  }

  /** Act on a key; false when it is none of these. Zooming needs sizes, and is the view's. */
  key(key: string, { toggle, shift }: Modifiers, repeats = false): boolean {
    if (toggle) return false;
    if (key === " ") {
      this.flipped.value = true;
      return true;
    }
    const mode = MODES[Number(key) - 1];
    if (mode) {
      this.setMode(mode);
      return true;
    }
    const act = this.#keys[key.length === 1 ? key.toLowerCase() : key];
    if (!act || (shift && key !== "?")) return false;
    if (!repeats || key.startsWith("Arrow")) act();
    return true;
  }

  /** A key was let go. */
  keyUp(key: string): void {
    if (key === " ") this.flipped.value = false;
  }

  readonly #keys: Readonly<Record<string, () => void>> = {
    ArrowRight: () => this.step(1),
    ArrowLeft: () => this.step(-1),
    ArrowDown: () => this.go(this.at.peek() + 1),
    ArrowUp: () => this.go(this.at.peek() - 1),
    Enter: () => this.accept(),
    k: () => this.keep(),
    x: () => this.toggleGoes(),
    b: () => this.keepBoth(),
    n: () => this.notDuplicate(),
    u: () => this.undecide(),
    "?": () => {
      this.keysShown.value = !this.keysShown.peek();
    },
    Escape: () => {
      if (this.keysShown.peek()) this.keysShown.value = false;
      else this.close();
    },
  };

  /** Whether there is a group here, and a plan that decisions can change. */
  #decides(): boolean {
    return this.isGroup.peek() && this.state.review.on.peek();
  }

  #choose(add: number[], remove: number[]): void {
    this.#did(() => this.state.review.decide({ what: "keepers", add, remove }));
  }

  #review(value: boolean): void {
    if (!this.state.frame.peek()?.columns.some(({ name }) => name === "fingerprint")) return;
    const rows = [...this.members.peek()];
    this.#did(() => this.state.review.decide({ what: "reviewed", rows, value }));
  }

  #did(decide: () => Promise<void>): void {
    this.notice.value = null;
    this.#made.push(this.at.peek());
    this.#undone = [];
    void decide();
  }

  /** Members of the group that stay because one of it must, or by hand. */
  #staying(): number[] {
    const frame = this.state.frame.peek();
    if (!frame) return [];
    return this.members
      .peek()
      .filter((row) => inGroup(frame, row) && frame.keep[row] === Keep.stays);
  }

  /** What to compare a member with: the keeper as of now, and of several one that is another. */
  #keeperOf(members: readonly number[], row: number | null): number {
    const frame = this.state.frame.peek();
    const keepers = frame ? keepersAmong(frame, members) : [];
    const base = this.base.peek();
    const others = keepers.filter((keeper) => keeper !== row);
    if (others.includes(base)) return base;
    const kept = members.includes(base) && base !== row ? base : undefined;
    return others[0] ?? kept ?? members.find((member) => member !== row) ?? members[0];
  }

  #question(base: number, members: readonly number[]) {
    const others = members.filter((row) => row !== base).slice(0, MAX_TOLD);
    return { id: JSON.stringify([base, others.length, others[0] ?? null]), others };
  }

  /** Ask for what is told of this group, and ahead of the next. */
  #ask(): void {
    const course = this.course.value;
    if (!course) return;
    this.state.rpc.recovered.value;
    const { rpc, tiles } = this.state;
    const at = this.at.value;
    const members = this.members.value;
    const next = at + 1 < this.count.value ? membersAt(course, at + 1) : [];
    const want = (base: number, rows: readonly number[]) => {
      const { id, others } = this.#question(base, rows);
      this.#told.want(id, () => rpc.request("beside", { row: base, others }));
    };
    want(this.base.value, members);
    if (next.length > 0) want(next[0], next);
    tiles.want(this, members, next);
  }
}

function keepersAmong(frame: Frame, members: readonly number[]): number[] {
  return members.filter((row) => inGroup(frame, row) && badgeOf(frame, row) === "keeper");
}

/** What was decided of a member. */
export interface Status {
  badge: "keeper" | "exact" | "near" | null;
  goes: boolean;
  chosen: boolean;
  /** It was declared no duplicate, and stands in no group any more. */
  apart: boolean;
}

function membersAt(course: Course, at: number): number[] {
  if (course.kind === "images") return [course.rows[at]];
  const { start, members } = course.frame.bands;
  const band = course.bands[at];
  return [...groupRows(course.frame, members.subarray(start[band], start[band + 1]))];
}
