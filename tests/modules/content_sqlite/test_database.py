import errno
import hashlib
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.modules.content_sqlite.database import Database
from fluxcore.modules.content_sqlite.options import Options, configured, with_args


def digest(blob: bytes) -> bytes:
    return hashlib.sha1(blob).digest()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "content.sqlite")


def reopened(db: Database, options: Options | None = None) -> Database:
    db.close()
    return Database(db.path, options or Options())


BLOBS = [b"", b"\0", b"x", bytes(range(256)) * 400]


def test_blobs_are_there_when_the_file_is_opened_again(path: str) -> None:
    db = Database(path, Options())
    for blob in BLOBS:
        db.store([digest(blob)], [blob])
    db = reopened(db)
    assert [db.load(digest(blob)) for blob in BLOBS] == BLOBS
    assert db.count() == len(BLOBS)
    assert db.exists(digest(b""))
    assert not db.exists(digest(b"other"))
    with pytest.raises(FileNotFoundError):
        db.load(digest(b"other"))
    db.close()


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_so_many_blobs_at_once(path: str, count: int) -> None:
    """Each twice, and once more under a later checkpoint, which says that they are in use."""
    db = Database(path, Options())
    blobs = [b"%d" % n for n in range(count)]
    db.store([*map(digest, blobs * 2)], blobs * 2)
    assert db.count() == count
    db.add_checkpoint("{}")
    assert db.below(db.epoch) == count
    db.store([*map(digest, blobs)], blobs)
    assert (db.count(), db.below(db.epoch)) == (count, 0)
    assert [db.load(digest(blob)) for blob in blobs] == blobs
    db.close()


@given(st.lists(st.sampled_from([b"", b"\0", b"x", "🥔".encode(), b"\xff" * 300])))
def test_blobs_of_any_size_together(blobs: list[bytes]) -> None:
    db = Database(":memory:", Options())
    db.store([*map(digest, blobs)], blobs)
    assert [db.load(digest(blob)) for blob in blobs] == blobs
    kinds = db._db.execute("SELECT DISTINCT typeof(hash), typeof(object) FROM objects").fetchall()
    assert kinds in ([], [("text", "blob")])
    db.close()


def test_digests_with_zeros_in_them_are_told_apart(path: str) -> None:
    db = Database(path, Options())
    digests = [b"\0" * 20, b"\0" * 19 + b"\1", b"a\0" * 10, b"a\0b" + b"\0" * 17, b"\xff" * 20]
    for n, each in enumerate(digests):
        db.store([each], [b"%d" % n])
    assert [db.load(each) for each in digests] == [b"%d" % n for n in range(5)]
    db.close()


def test_the_file_is_as_flux_core_makes_it(path: str) -> None:
    db = Database(path, Options())
    db.store([digest(b"x")], [b"x"])
    db.add_checkpoint('{"version":1}')
    assert (db._db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    db.close()
    raw = sqlite3.connect(path)
    raw.text_factory = bytes
    rows = raw.execute("SELECT typeof(hash), hash, size, object, epoch FROM objects").fetchall()
    assert rows == [(b"text", digest(b"x"), -1, b"x", 0)]
    assert raw.execute("SELECT id, value FROM checkpt_v2").fetchall() == [(1, b'{"version":1}')]
    raw.close()


def test_a_file_without_epochs_gets_them(path: str) -> None:
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE objects(hash BLOB PRIMARY KEY, size INT, object BLOB)")
    raw.execute("INSERT INTO objects VALUES (CAST(? AS TEXT), -1, ?)", (digest(b"old"), b"old"))
    raw.commit()
    raw.close()
    db = Database(path, Options())
    assert db.load(digest(b"old")) == b"old"
    assert db.below(1) == 1
    db.close()


def test_a_transaction_is_written_as_a_whole(path: str) -> None:
    db = Database(path, Options())
    db.begin()
    db.store([digest(b"a")], [b"a"])
    db.commit()
    db.begin()
    db.store([digest(b"b")], [b"b"])
    db = reopened(db)
    assert db.exists(digest(b"a"))
    assert not db.exists(digest(b"b"))
    db.close()


def test_checkpoints_are_kept_up_to_a_number_and_make_epochs(path: str) -> None:
    db = Database(path, Options(max_checkpoints=3))
    assert (db.epoch, db.checkpoints()) == (0, [])
    for n in range(1, 6):
        db.add_checkpoint(f'{{"n":{n}}}')
        assert db.epoch == n
    db = reopened(db)
    assert db.checkpoints() == [(5, {"n": 5}), (4, {"n": 4}), (3, {"n": 3})]
    assert db.epoch == 5
    db.close()


def test_what_is_not_marked_is_swept(path: str) -> None:
    db = Database(path, Options())
    blobs = [b"%d" % n for n in range(10)]
    for blob in blobs:
        db.store([digest(blob)], [blob])
    db.add_checkpoint("{}")
    assert db.mark(1, [digest(blob) for blob in (*blobs[:4], b"unknown")]) == 4
    db.store([digest(b"9")], [b"9"])
    assert (db.below(1), db.high_water()) == (5, 10)
    assert db.sweep(1, 0, 8, 3) == [5, 6, 7]
    assert db.sweep(1, 7, 10, 3) == [8, 9]
    assert [blob for blob in blobs if db.exists(digest(blob))] == [*blobs[:4], b"9"]
    db.close()


def test_the_file_may_be_begun_anew(path: str) -> None:
    db = Database(path, Options())
    db.store([digest(b"x")], [b"x"])
    db = reopened(db, Options(truncate=True))
    assert db.count() == 0
    assert db.high_water() == 0
    db.close()


def test_a_damaged_object_is_an_error_of_its_own(path: str) -> None:
    db = Database(path, Options())
    db._db.execute("INSERT INTO objects VALUES (CAST(? AS TEXT), 300, ?, 0)", (b"a" * 20, b"??"))
    db._db.execute("INSERT INTO checkpt_v2 (value) VALUES ('{')")
    for use in (lambda: db.load(b"a" * 20), db.checkpoints):
        with pytest.raises(OSError) as caught:
            use()
        assert caught.value.errno == errno.EINVAL
    db.close()


def test_a_file_that_is_no_database(path: str) -> None:
    Path(path).write_bytes(b"this is no database at all, is it?" * 100)
    with pytest.raises(OSError) as caught:
        Database(path, Options())
    assert caught.value.errno == errno.EINVAL
    assert caught.value.strerror == "file is not a database(26)"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        Database(str(tmp_path / "no" / "content.sqlite"), Options())
    assert "unable to open database file" in caught.value.strerror


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_file_that_may_not_be_written(path: str) -> None:
    Database(path, Options()).close()
    os.chmod(path, 0o400)
    with pytest.raises(PermissionError):
        Database(path, Options())


# -- options -------------------------------------------------------------------------------


def test_options_come_from_the_configuration_and_then_the_arguments() -> None:
    conf = {"content-sqlite": {"journal_mode": "OFF", "synchronous": "FULL", "max_checkpoints": 7}}
    options = with_args(configured(Options(), conf), ["synchronous=OFF", "max-checkpoints=2"])
    assert options == Options("OFF", "OFF", 2)
    assert with_args(Options(), ["truncate"]).truncate


@pytest.mark.parametrize(
    ("arg", "text"),
    [
        ("journal_mode=wal", "invalid journal_mode specified"),
        ("synchronous=SOMETIMES", "invalid synchronous specified"),
        ("max-checkpoints=0", "invalid max_checkpoints specified"),
        ("max-checkpoints=many", "invalid max_checkpoints specified"),
        ("truncate=1", "Unknown module option: 'truncate=1'"),
        ("nosuch", "Unknown module option: 'nosuch'"),
    ],
)
def test_arguments_that_are_wrong(arg: str, text: str) -> None:
    with pytest.raises(OSError) as caught:
        with_args(Options(), [arg])
    assert (caught.value.errno, caught.value.strerror) == (errno.EINVAL, text)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"journal_mode": "nosuch"}, "invalid journal_mode config"),
        ({"synchronous": 1}, "invalid synchronous config"),
        ({"max_checkpoints": True}, "invalid max_checkpoints config"),
        ({"max_checkpoints": -1}, "invalid max_checkpoints config"),
    ],
)
def test_configurations_that_are_wrong(table: dict[str, object], text: str) -> None:
    with pytest.raises(OSError) as caught:
        configured(Options(), {"content-sqlite": table})
    assert (caught.value.errno, caught.value.strerror) == (errno.EINVAL, text)
