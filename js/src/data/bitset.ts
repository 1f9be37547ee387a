/** A set of row numbers: bit `i & 7` of byte `i >> 3`, as it goes over the wire. */
export class Bitset {
  readonly bytes: Uint8Array;

  constructor(
    readonly size: number,
    bytes?: Uint8Array,
  ) {
    this.bytes = new Uint8Array((size + 7) >> 3);
    if (bytes) {
      this.bytes.set(bytes.subarray(0, this.bytes.length));
      this.#clearTail();
    }
  }

  has(row: number): boolean {
    return (this.bytes[row >> 3] & (1 << (row & 7))) !== 0;
  }

  add(row: number): void {
    this.bytes[row >> 3] |= 1 << (row & 7);
  }

  delete(row: number): void {
    this.bytes[row >> 3] &= ~(1 << (row & 7));
  }

  toggle(row: number): void {
    this.bytes[row >> 3] ^= 1 << (row & 7);
  }

  clear(): void {
    this.bytes.fill(0);
  }

  count(): number {
    let count = 0;
    for (const byte of this.bytes) count += ONES[byte];
    return count;
  }

  /** How many of the set's rows have a non-zero byte in `mask`. */
  countIn(mask: Uint8Array): number {
    let count = 0;
    this.forEach((row) => {
      count += mask[row];
    });
    return count;
  }

  forEach(visit: (row: number) => void): void {
    for (let i = 0; i < this.bytes.length; i++) {
      let byte = this.bytes[i];
      while (byte !== 0) {
        const low = byte & -byte;
        visit((i << 3) + (31 - Math.clz32(low)));
        byte ^= low;
      }
    }
  }

  union(other: Bitset): Bitset {
    return this.#with(other, (mine, its) => mine | its);
  }

  intersection(other: Bitset): Bitset {
    return this.#with(other, (mine, its) => mine & its);
  }

  difference(other: Bitset): Bitset {
    return this.#with(other, (mine, its) => mine & ~its);
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.bytes.length; i++) {
      for (let byte = this.bytes[i]; byte !== 0; byte &= byte - 1) {
        yield (i << 3) + (31 - Math.clz32(byte & -byte));
      }
    }
  }

  copy(): Bitset {
    return new Bitset(this.size, this.bytes);
  }

  #with(other: Bitset, combine: (mine: number, its: number) => number): Bitset {
    const result = new Bitset(this.size);
    for (let i = 0; i < result.bytes.length; i++) {
      result.bytes[i] = combine(this.bytes[i], other.bytes[i]);
    }
    return result;
  }

  #clearTail(): void {
    const used = this.size & 7;
    if (used !== 0) this.bytes[this.bytes.length - 1] &= (1 << used) - 1;
  }
}

const ONES = new Uint8Array(256);
for (let i = 1; i < 256; i++) ONES[i] = ONES[i >> 1] + (i & 1);
