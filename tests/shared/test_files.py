"""Files are kept by key, in a folder that may be called anything."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.language.clock import utc_now
from shared.language.errors import Unavailable
from shared.settings import Settings
from shared.storage.files import FileStore

KEY = "uploads/0001.jpg"


@pytest.fixture
def store(settings):
    return FileStore(settings.store)


def test_what_was_put_is_got_again(store):
    store.put(KEY, b"\x00picture\xff")
    assert store.get(KEY) == b"\x00picture\xff"


def test_a_file_put_again_is_replaced(store):
    store.put(KEY, b"old")
    store.put(KEY, b"new")
    assert store.get(KEY) == b"new"


def test_what_was_never_put_is_not_found(store):
    with pytest.raises(FileNotFoundError):
        store.get(KEY)


def test_what_was_removed_is_gone_from_the_disk(store, settings):
    store.put(KEY, b"picture")
    kept = settings.folder / "store" / KEY
    assert kept.read_bytes() == b"picture"
    store.remove(KEY)
    assert not kept.exists()
    with pytest.raises(FileNotFoundError):
        store.get(KEY)


def test_removing_twice_is_removing_once(store):
    store.put(KEY, b"picture")
    store.remove(KEY)
    store.remove(KEY)
    with pytest.raises(FileNotFoundError):
        store.get(KEY)


def test_a_large_file_is_kept_whole(store):
    data = bytes(range(256)) * 40_000
    store.put(KEY, data)
    assert store.get(KEY) == data


@pytest.mark.parametrize("name", ["plain", "kho ảnh", "a%20b", "a#b", "a?b"])
def test_the_folder_may_be_called_anything(tmp_path, name):
    settings = Settings(var_dir=str(tmp_path / name))
    FileStore(settings.store).put(KEY, b"picture")
    assert (tmp_path / name / "store" / KEY).read_bytes() == b"picture"
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_store_that_keeps_files_is_ready(store):
    store.check()
    store.put(KEY, b"picture")
    assert store.get(KEY) == b"picture"


def test_a_store_that_keeps_nothing_says_so(store, settings):
    folder = Path(settings.folder / "store")
    folder.rmdir()
    folder.write_text("a file where the folder was")
    with pytest.raises(Unavailable):
        store.check()
    with pytest.raises(Unavailable):
        store.put(KEY, b"picture")


def test_files_last_written_before_a_moment_are_found(store):
    store.put(KEY, b"picture")
    folder = KEY.partition("/")[0]
    assert list(store.older(folder, utc_now() + timedelta(hours=1))) == [KEY]
    assert list(store.older(folder, utc_now() - timedelta(hours=1))) == []
    assert list(store.older("nothing", utc_now())) == []
