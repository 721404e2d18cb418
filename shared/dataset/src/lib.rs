//! Rows: reads uploads, checks each row, writes content-addressed Parquet parts, reads them back.
