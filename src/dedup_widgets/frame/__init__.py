"""Any table as a Polars frame, the columns that are known, and counting what a frame holds."""
