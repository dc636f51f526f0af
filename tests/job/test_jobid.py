"""Job ids: the vectors of flux-core, every form both ways, and a generator that only grows."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.job import jobid

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent / "jobid.jsonl").read_text().split("\n")
    if line
]
ids = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["dec"]))
@pytest.mark.parametrize("form", jobid.FORMS)
def test_a_vector_reads_and_writes_in_every_form(vector: dict[str, str], form: str) -> None:
    value = int(vector["dec"])
    assert jobid.encode(value, form) == vector[form]
    assert jobid.parse(vector[form]) == value


def test_every_form_is_in_the_vectors() -> None:
    assert set(VECTORS[0]) == set(jobid.FORMS)


@given(ids, st.sampled_from(jobid.FORMS))
def test_every_id_comes_back_from_every_form(value: int, form: str) -> None:
    assert jobid.parse(jobid.encode(value, form)) == value


@given(st.text())
def test_any_text_is_an_id_or_malformed(text: str) -> None:
    try:
        assert 0 <= jobid.parse(text) <= jobid.MAX_ID
    except ValueError as exc:
        assert str(exc) == "malformed input"  # noqa: PT017


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zzz",
        "ƒ",
        "f",
        "f0",  # no digit of base 58
        "ƒjpXCZedGfVR",  # 2**64
        "ƒ1111111111111",
        "18446744073709551616",
        "0x",
        "0xg",
        "0x1ffffffffffffffff",
        "+1",
        "1_0",
        "٣",
        "0000.0000.04d2",
        "0000.0000.0000.004d2",
        "0000.0000.0000.-4d2",
        "academy-academy-academy",
        "academy-academy-academy--academy-academy-nosuch",
        "natural-analyze-amen--academy-academy-academy",
        "😃x",
        "📚📚📚📚📚📚📚📚",
        "🎌🎌🎌🎌🎌🎌🎌",
    ],
)
def test_what_is_no_id_is_malformed(text: str) -> None:
    with pytest.raises(ValueError, match=r"^malformed input$"):
        jobid.parse(text)


@pytest.mark.parametrize(
    "text", [" 1234 ", "\tƒNH\n", "job.0.0.0.4d2", "0x04D2", "Turtle_academy academy", "fNH"]
)
def test_what_a_user_may_type_instead(text: str) -> None:
    if "_" in text:
        text += "--academy-academy-academy"
    assert jobid.parse(text) == 1234


def test_words_need_six() -> None:
    with pytest.raises(ValueError, match="malformed input"):
        jobid.parse("turtle-academy-academy--academy-academy-academy--academy")


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(ValueError, match="Unknown to=roman"):
        jobid.encode(1, "roman")


def test_f58_is_ascii_where_it_must_be() -> None:
    assert jobid.encode(1234, "f58", ascii_only=True) == "fNH"
    assert jobid.f58(1234, ascii_only=True) == "fNH"
    assert jobid.wants_ascii({}, "ANSI_X3.4-1968")
    assert jobid.wants_ascii({"FLUX_F58_FORCE_ASCII": ""}, "utf-8")
    assert not jobid.wants_ascii({}, "UTF-8")


def test_a_job_has_a_directory_in_the_kvs() -> None:
    assert jobid.kvs_key(1234) == "job.0000.0000.0000.04d2"
    assert jobid.kvs_key(1234, "eventlog") == "job.0000.0000.0000.04d2.eventlog"


class Clock:
    """Nanoseconds that move when told."""

    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


def test_an_id_holds_time_generator_and_sequence() -> None:
    clock = Clock()
    generator = jobid.FluidGenerator(3, clock)
    clock.now += 2_999_999
    assert [generator.generate() for _ in range(2)] == [2 << 24 | 3 << 10, 2 << 24 | 3 << 10 | 1]


def test_a_generator_needs_its_bits() -> None:
    with pytest.raises(ValueError, match="16384"):
        jobid.FluidGenerator(1 << 14, Clock())


def test_a_restarted_instance_continues_after_its_greatest_id() -> None:
    clock = Clock()
    first = jobid.FluidGenerator(0, clock)
    made = [first.generate() for _ in range(5000)]
    clock.now = 7  # another boot, another monotonic clock
    second = jobid.FluidGenerator(0, clock, jobid.timestamp(max(made)) + 1)
    assert second.generate() > max(made)


def test_35_years_are_the_end() -> None:
    clock = Clock()
    generator = jobid.FluidGenerator(0, clock)
    clock.now += 2**40 * 10**6
    with pytest.raises(OverflowError):
        generator.generate()


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(-(10**7), 10**7), st.sampled_from([0, 1, 2, 1025])), max_size=5)
)
def test_ids_only_grow_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    generator = jobid.FluidGenerator(7, clock)
    last = -1
    for ticks, count in steps:
        clock.now += ticks
        for _ in range(count):
            new = generator.generate()
            assert new > last
            assert new >> 10 & 0x3FFF == 7
            last = new
    assert generator.timestamp() >= jobid.timestamp(max(last, 0))


@pytest.mark.parametrize("form", jobid.FORMS)
def test_a_negative_number_is_the_id_of_its_64_bits(form):
    assert jobid.encode(-1, form) == jobid.encode(jobid.MAX_ID, form)
