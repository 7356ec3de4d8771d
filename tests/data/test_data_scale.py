import json
import subprocess
import sys

import pytest

PEAK = """
import resource, sys
from runner.config import DataConfig
from runner.data import Columns, open_split
split = open_split(DataConfig(path=sys.argv[1]), "rows", Columns(("text",)))
assert sum(1 for _ in split) == split.count == int(sys.argv[2])
heavy = {"torch", "transformers", "datasets", "pandas"} & set(sys.modules)
assert not heavy, heavy
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
WRITE = {
    "txt": lambda i: f"line {i} of a file that is long\n",
    "jsonl": lambda i: json.dumps({"id": i, "text": f"line {i} of a file that is long"}) + "\n",
    "csv": lambda i: f'{i},"line {i}, of a file that is long"\n',
}


def peak(path, suffix, rows):
    """KiB of memory at the peak of a process that checks and iterates a file of so many rows."""
    file = path / f"{rows}.{suffix}"
    if suffix == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        write_table(pyarrow.table({"text": [WRITE["txt"](i) for i in range(rows)]}), file)
    else:
        with file.open("w") as out:
            out.write("id,text\n" if suffix == "csv" else "")
            out.writelines(map(WRITE[suffix], range(rows)))
    command = [sys.executable, "-c", PEAK, str(file), str(rows)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("suffix", WRITE)
def test_ten_times_the_rows_take_no_more_memory(tmp_path, suffix):
    assert peak(tmp_path, suffix, 50_000) <= 1.05 * peak(tmp_path, suffix, 5_000)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [*WRITE, "parquet"])
def test_a_million_rows_take_no_more_memory_than_a_hundred_thousand(tmp_path, suffix):
    assert peak(tmp_path, suffix, 1_000_000) <= 1.05 * peak(tmp_path, suffix, 100_000)
