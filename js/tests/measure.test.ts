import { describe, expect, it } from "vitest";
import { DAY, measureOf, read, write } from "../src/data/measure";
import type { ColumnInfo } from "../src/wire/protocol";

const column = (name: string, type: string, facet: ColumnInfo["facet"] = "number"): ColumnInfo => ({
  name,
  type,
  facet,
  sortable: true,
});

describe("measureOf", () => {
  it("goes by type, and by name for bytes", () => {
    expect(measureOf(column("uniqueness", "Float32"))).toBe("number");
    expect(measureOf(column("width", "Int64"))).toBe("whole");
    expect(measureOf(column("bytes", "UInt32"))).toBe("bytes");
    expect(measureOf(column("new_bytes", "Int64"))).toBe("bytes");
    expect(measureOf(column("kilobytes", "Int64"))).toBe("whole");
    expect(measureOf(column("taken", "Datetime(time_unit='us', time_zone=None)", "date"))).toBe(
      "date",
    );
    expect(measureOf(column("day", "Date", "date"))).toBe("day");
  });
});

describe("bounds", () => {
  it("are read as they are written", () => {
    const noon = Date.UTC(2024, 4, 17, 12, 30);
    const day = Date.UTC(2024, 4, 17);
    const cases = [
      ["number", 0.05, 0],
      ["number", -3, 1],
      ["whole", 4032, 0],
      ["bytes", 1_500_000, 1],
      ["date", noon, 0],
      ["date", noon - 1, 1],
      ["date", noon + 5000, 0],
      ["date", day, 0],
      ["date", day + DAY - 1, 1],
      ["day", day, 0],
      ["day", day, 1],
    ] as const;
    for (const [measure, value, end] of cases) {
      expect(read(measure, write(measure, value, end), end), write(measure, value, end)).toBe(
        value,
      );
    }
  });

  it("are short to read", () => {
    expect(write("whole", 4032, 0)).toBe("4,032");
    expect(write("bytes", 2_000_000, 0)).toBe("2 MB");
    expect(write("date", Date.UTC(2024, 4, 17), 0)).toBe("2024-05-17");
    expect(write("date", Date.UTC(2024, 4, 18) - 1, 1)).toBe("2024-05-17");
    expect(write("date", Date.UTC(2024, 4, 17, 8, 15), 0)).toBe("2024-05-17 08:15");
    expect(write("date", Date.UTC(2024, 4, 17, 8, 15, 2), 0)).toBe("2024-05-17 08:15:02");
  });

  it("may be typed with separators and units", () => {
    expect(read("number", " 1,234.5 ", 0)).toBe(1234.5);
    expect(read("number", "1e-6", 0)).toBe(1e-6);
    expect(read("bytes", "1.5 MB", 0)).toBe(1_500_000);
    expect(read("bytes", "20k", 0)).toBe(20_000);
    expect(read("bytes", "812", 0)).toBe(812);
    expect(read("whole", "2.5", 0)).toBe(3);
    expect(read("whole", "2.5", 1)).toBe(2);
  });

  it("stand for a whole year, month, day or minute", () => {
    expect(read("date", "2024", 0)).toBe(Date.UTC(2024, 0));
    expect(read("date", "2024", 1)).toBe(Date.UTC(2025, 0) - 1);
    expect(read("date", "2024-02", 1)).toBe(Date.UTC(2024, 2) - 1);
    expect(read("day", "2024-02", 1)).toBe(Date.UTC(2024, 1, 29));
    expect(read("date", "2024-05-17T14:30", 1)).toBe(Date.UTC(2024, 4, 17, 14, 31) - 1);
  });

  it("are refused when they are none", () => {
    const nonsense = ["", "x", "1,5", "0x", "Infinity", "2024-13", "2024-02-30", "17.5.2024"];
    for (const text of nonsense) {
      expect(read("date", text, 0), text).toBeNull();
    }
    for (const text of ["", "x", "1,5", "0x", "Infinity"]) {
      expect(read("number", text, 0), text).toBeNull();
      expect(read("bytes", text, 0), text).toBeNull();
    }
  });
});
