"""The only way into a cluster from outside: copies bytes between a port on 127.0.0.1 of the machine and the API server inside.

    python -m devcluster.forwarder FD HOST PORT

The listening socket FD was made by `up` in the machine's network and inherited; connections to HOST:PORT are made in the network this
process lives in, the cluster's. So there is no interface, route or firewall rule on the machine, and the port goes with the cluster.
"""

import asyncio
import contextlib
import socket
import sys

CHUNK = 256 * 1024


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until its end; then the end is passed on, as half a close."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    """One connection, until both directions have ended."""
    try:
        inner_reader, inner_writer = await asyncio.open_connection(host, port, limit=CHUNK)
    except OSError:  # the API server is not up: the caller sees its connection closed
        writer.close()
        return
    try:
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
    finally:
        inner_writer.close()
        writer.close()


async def serve(listener: socket.socket, host: str, port: int) -> None:
    """Forward every connection to `listener`, for ever."""
    server = await asyncio.start_server(lambda r, w: forward(r, w, host, port), sock=listener, limit=CHUNK)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Entry point of `python -m devcluster.forwarder`."""
    fd, host, port = sys.argv[1:]
    asyncio.run(serve(socket.socket(fileno=int(fd)), host, int(port)))


if __name__ == "__main__":
    main()
