"""Writing to a task's stdin."""

import asyncio
import os

from fluxcore.shell.stdin import StdinPipe


async def test_what_fits_is_written_at_once_and_the_end_closes() -> None:
    reading, writing = os.pipe()
    pipe = StdinPipe(asyncio.get_running_loop(), writing)
    pipe.write(b"hello ")
    pipe.write(b"world", eof=True)
    pipe.write(b"too late")
    with open(reading, "rb") as file:
        assert file.read() == b"hello world"
    assert pipe.unwritten == 0


async def test_the_rest_waits_until_there_is_room() -> None:
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    pipe = StdinPipe(loop, writing)
    data = os.urandom(300_000)
    pipe.write(data[:200_000])
    pipe.write(data[200_000:], eof=True)
    assert 0 < pipe.unwritten < len(data)
    got = b""
    with open(reading, "rb") as file:
        while piece := await loop.run_in_executor(None, file.read1):
            got += piece
    assert got == data
    assert pipe.unwritten == 0


async def test_a_large_piece_arrives_whole() -> None:
    reading, writing = os.pipe()
    pipe = StdinPipe(asyncio.get_running_loop(), writing)
    data = os.urandom(1 << 20)
    pipe.write(data, eof=True)
    with open(reading, "rb") as file:
        assert await asyncio.to_thread(file.read) == data
    assert pipe.unwritten == 0


async def test_who_reads_no_more_gets_no_more() -> None:
    reading, writing = os.pipe()
    pipe = StdinPipe(asyncio.get_running_loop(), writing)
    os.close(reading)
    pipe.write(b"x" * 10)
    pipe.write(b"y")
    assert pipe.unwritten == 0


async def test_closing_drops_what_waits() -> None:
    reading, writing = os.pipe()
    pipe = StdinPipe(asyncio.get_running_loop(), writing)
    pipe.write(b"x" * 300_000)
    pipe.close()
    pipe.close()
    assert pipe.unwritten == 0
    os.close(reading)
