import pytest

from fluxtop.drafts import Drafts


def test_a_draft_is_kept(tmp_path):
    drafts = Drafts(tmp_path / "state" / "drafts")
    assert drafts.load("jobspec.yaml") is None
    drafts.save("jobspec.yaml", "echo 🥔️\n")
    assert drafts.load("jobspec.yaml") == "echo 🥔️\n"


def test_a_draft_is_the_users_alone(tmp_path):
    drafts = Drafts(tmp_path / "drafts")
    drafts.save("x", "secret")
    assert (tmp_path / "drafts").stat().st_mode & 0o077 == 0


def test_a_draft_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    drafts = Drafts(tmp_path)
    drafts.save("x", "old")

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", fail)
    with pytest.raises(OSError, match="No space"):
        drafts.save("x", "new")
    assert drafts.load("x") == "old"
