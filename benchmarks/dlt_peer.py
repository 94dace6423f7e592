"""The same table moved by dlt, in dlt's own environment: run by `landing_peers`, never imported by the project.

Best mode: the pyarrow backend and Parquet files, loaded through ADBC. Default mode: rows as SQLAlchemy gives them, JSON
Lines normalised and loaded by `insert` statements. Neither checks a value, keeps a key or quarantines a row.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time

import dlt
from dlt.sources.sql_database import sql_table


def main() -> None:
    """Print one line of JSON: seconds and rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--table", default="cases")
    parser.add_argument("--mode", choices=("best", "default"), default="best")
    arguments = parser.parse_args()
    is_best = arguments.mode == "best"
    with tempfile.TemporaryDirectory(prefix="dlt-") as folder:
        resource = sql_table(
            credentials=arguments.source,
            table=arguments.table,
            backend="pyarrow" if is_best else "sqlalchemy",
            **({"chunk_size": 50_000} if is_best else {}),
        )
        pipeline = dlt.pipeline(
            "landing", pipelines_dir=folder, destination=dlt.destinations.postgres(arguments.target), dataset_name="dlt"
        )
        started = time.perf_counter()
        pipeline.run(resource, write_disposition="replace", **({"loader_file_format": "parquet"} if is_best else {}))
        seconds = time.perf_counter() - started
        with pipeline.sql_client() as client:
            found = client.execute_sql(f"select count(*) from {arguments.table}")
    print(json.dumps({"seconds": seconds, "rows": found[0][0] if found else 0, "version": dlt.__version__}))


if __name__ == "__main__":
    main()
