"""Parquet, Arrow, dataset folders and names of the hub: the rows they hold, and how they are broken."""

import json
import random
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from operant.data.check import check
from operant.data.files import UnreadableData
from operant.data.load import load
from operant.data.read import read_rows
from operant.data.tables import BATCH_ROWS
from operant.data.write import write_rows

from .conftest import pair

MANY = [pair(prompt=f"prompt {at}", margin=float(at)) for at in range(2 * BATCH_ROWS + 3)]


def save(path: Path, rows=MANY, *, form: str) -> Path:
    table = pa.Table.from_pylist(rows)
    if form == "parquet":
        pq.write_table(table, path)
        return path
    new = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with new(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    return path


@pytest.mark.parametrize("form", ["parquet", "file", "stream"])
def test_tables_give_every_row_with_its_index(tmp_path, form):
    path = save(tmp_path / f"rows.{'parquet' if form == 'parquet' else 'arrow'}", form=form)
    rows = list(read_rows(path))
    assert [row.line for row in rows] == list(range(1, len(MANY) + 1))
    assert [row.value for row in rows] == MANY
    report = check(path)
    assert (report.kind, report.kept, report.counts) == ("preference", len(MANY), {})


def test_a_table_is_told_by_its_bytes_not_its_name(tmp_path):
    assert len(list(read_rows(save(tmp_path / "rows.jsonl", form="parquet")))) == len(MANY)


def test_a_table_is_read_in_batches(tmp_path, monkeypatch):
    held = []
    path = save(tmp_path / "rows.parquet", form="parquet")
    iterate = pq.ParquetFile.iter_batches

    def counted(self, **settings):
        for batch in iterate(self, **settings):
            held.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    rows = read_rows(path)
    next(rows)
    assert held == [BATCH_ROWS]  # the second batch is not read before the first is used up
    assert len(list(rows)) == len(MANY) - 1


@pytest.mark.parametrize("form, name", [("parquet", "rows.parquet"), ("file", "rows.arrow")])
def test_a_table_cut_short_is_refused_by_name(tmp_path, form, name):
    path = save(tmp_path / name, form=form)  # both keep their table of contents at the end
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableData, match="cannot be opened.*cut short"):
        check(path)


def test_a_stream_cut_short_keeps_what_was_whole(tmp_path):
    path = save(tmp_path / "rows.arrow", form="stream")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    report = check(path)
    # batches of 100 rows were written: whole ones stay
    assert report.kept % 100 == 0 and 100 <= report.kept < len(MANY)
    assert [(found.code, found.line) for found in report.problems] == [("corrupt_table", report.kept + 1)]


def test_damage_inside_parquet_ends_the_rows_with_a_problem(tmp_path):
    path = tmp_path / "rows.parquet"
    rows = [pair(prompt=f"{at} {pow(7, at, 10**9 + 7)}") for at in range(2000)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500, use_dictionary=False)
    data = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    data[start : start + 40] = bytes(40)
    path.write_bytes(bytes(data))
    report = check(path)
    assert report.counts == {"corrupt_table": 1}
    assert report.kept == 1000 - 1000 % BATCH_ROWS  # batches may reach over row groups; the broken one is lost


@pytest.mark.parametrize("form", ["parquet", "file", "stream"])
def test_random_damage_of_tables_never_crashes_and_every_row_is_counted(tmp_path, form):
    rng = random.Random(3)
    path = save(tmp_path / "rows", MANY[:300], form=form)
    whole = path.read_bytes()
    read = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            report = check(path)
        except UnreadableData:
            continue
        assert report.rows == report.kept + report.unusable + sum(report.dropped.values())
        read += 1
    assert read > 10  # not every byte decides over the whole file


def test_damage_to_what_we_write_is_noticed_by_its_checksum(tmp_path):
    path = tmp_path / "rows.parquet"
    write_rows(path, [pair(prompt=f"needle {at}") for at in range(50)])
    whole = path.read_bytes()
    assert check(path).kept == 50
    at = whole.index(b"needle 0") + 7
    path.write_bytes(whole[:at] + b"8" + whole[at + 1 :])  # still text, and well formed
    with pytest.raises(UnreadableData, match="corrupt_table"):
        check(path)


@pytest.mark.parametrize(
    "data, name, said",
    [
        (b"PAR1\x15\x04", "rows.parquet", "cannot be opened"),
        (b"ARROW1\0\0" + bytes(40), "rows.arrow", "cannot be opened"),
        (b"\xff\xff\xff\xff" + bytes(4), "rows.arrow", "holds no rows|cannot be opened"),
        (b'{"prompt": "a"}\n', "rows.parquet", r"named \.parquet, but holds no such data"),
        (b'{"prompt": "a"}\n', "rows.arrow", r"named \.arrow, but holds no such data"),
    ],
)
def test_what_is_no_table_is_refused(write, data, name, said):
    with pytest.raises(UnreadableData, match=said):
        check(write(data, name))


def test_numbers_that_are_not_finite_and_text_that_is_not_utf8_cost_only_their_row(tmp_path):
    table = pa.table({
        "prompt": pa.array([b"a", b"\xff", b"c", b"d"], pa.binary()).view(pa.string()),
        "chosen": ["x"] * 4, "rejected": ["y"] * 4, "margin": [1.0, 1.0, float("nan"), None],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "rows.parquet")
    report = check(tmp_path / "rows.parquet")
    assert [(found.code, found.line) for found in report.problems] == [("bad_utf8", 2), ("non_finite", 3)]
    assert report.kept == 2


def test_messages_of_a_table_become_messages(tmp_path):
    talk = [{"role": "user", "content": "Which?", "name": None}]
    path = save(tmp_path / "rows.parquet", [{"prompt": talk}], form="parquet")
    assert load(path).records[0].prompt == ({"role": "user", "content": "Which?"},)


# Folders


def test_a_saved_dataset(tmp_path):
    datasets.Dataset.from_list(MANY).save_to_disk(tmp_path / "set", num_shards=3)
    rows = load(tmp_path / "set").records
    assert [row.prompt for row in rows] == [row["prompt"] for row in MANY]
    assert [row.line for row in rows] == list(range(1, len(MANY) + 1))  # over all shards
    assert {row.split for row in rows} == {None}


def test_a_saved_dict_names_the_splits(tmp_path):
    parts = {"train_sft": MANY[:3], "test": [{**row, "split": ""} for row in MANY[3:5]]}
    held = {name: datasets.Dataset.from_list(rows) for name, rows in parts.items()}
    datasets.DatasetDict(held).save_to_disk(tmp_path / "sets")
    assert [row.split for row in load(tmp_path / "sets").records] == ["train"] * 3 + ["test"] * 2


def test_a_folder_of_files_as_the_hub_lays_them_out(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("about")
    (tmp_path / "dataset_infos.json").write_text("{}")
    for at, name in enumerate(["train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"]):
        save(tmp_path / f"data/{name}.parquet", [pair(prompt=f"p{at}")], form="parquet")
    found = [(row.line, row.prompt, row.split) for row in load(tmp_path).records]
    assert found == [(1, "p0", "train"), (2, "p1", "train"), (3, "p2", "valid")]


def test_a_folder_of_json_lines_and_a_row_that_names_its_own_split(tmp_path):
    for name in ("dev", "test"):
        (tmp_path / name).mkdir()
        rows = [pair(prompt=f"{name} 1"), pair(prompt=f"{name} 2", split="train")]
        (tmp_path / name / "rows.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    found = [(row.line, row.split) for row in load(tmp_path).records]
    assert found == [(1, "valid"), (2, "train"), (3, "test"), (4, "train")]


def test_problems_in_a_folder_carry_the_number_of_the_row_in_the_whole(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(pair()) + "\n")
    (tmp_path / "b.jsonl").write_text(json.dumps(pair()) + "\n{\n")
    found = [(one.code, one.line, one.file) for one in check(tmp_path).problems]
    assert found == [("duplicate", 2, str(tmp_path)), ("truncated_json", 3, str(tmp_path))]


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("README.md", "about", "without data files"),
        ("state.json", "{}", "without data files"),
        ("state.json", "{", "cannot be read"),
        ("dataset_dict.json", "[]", "holds no object"),
        ("state.json", '{"_data_files": [{"filename": "data.arrow"}]}', "does not exist"),
    ],
)
def test_folders_without_data(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableData, match=said):
        check(tmp_path)


def test_a_state_file_cannot_point_outside_its_folder(tmp_path):
    save(tmp_path / "secret.arrow", form="stream")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/state.json").write_text('{"_data_files": [{"filename": "../secret.arrow"}]}')
    with pytest.raises(UnreadableData, match="does not exist"):
        check(tmp_path / "set")


# Names of the hub; no test reaches it


def test_a_name_is_loaded_from_the_hub_as_a_stream(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = []

    def load_dataset(name, **settings):
        asked.append((name, settings))
        return {"train": iter(MANY[:2]), "test_prefs": iter(MANY[2:3])}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    rows = load("owner/name").records
    assert asked == [("owner/name", {"streaming": True})]
    assert [(row.line, row.split) for row in rows] == [(1, "train"), (2, "train"), (3, "test")]


def test_neither_a_file_nor_a_dataset(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def load_dataset(name, **settings):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(UnreadableData, match="neither a file of that name nor a dataset.*no route to host"):
        check("owner/name")


def test_a_stream_that_breaks_off_says_so(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def rows():
        yield MANY[0]
        raise ConnectionError

    monkeypatch.setattr(datasets, "load_dataset", lambda name, **settings: {"train": rows()})
    report = check("owner/name")
    assert (report.kept, report.counts) == (1, {"corrupt_table": 1})


@pytest.mark.parametrize("name", ["data/rows.jsonl", "rows", "a/b/c", "data/rows.parquet", "data/rows.jsonl.gz"])
def test_what_looks_like_a_file_is_never_asked_for(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", lambda *given, **settings: pytest.fail("the hub was asked"))
    with pytest.raises(UnreadableData, match="does not exist"):
        check(name)


def test_what_stands_on_disk_comes_before_the_hub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner/name").mkdir(parents=True)
    save(tmp_path / "owner/name/train.parquet", MANY[:1], form="parquet")
    assert load("owner/name").records[0].split == "train"
