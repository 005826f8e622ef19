"""`python3 -m mockapi`: serves until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from mockapi.app import running
from mockapi.errors import BadScript
from mockapi.prices import default_prices, load_prices
from mockapi.record import timestamp
from mockapi.state import Mock, Options


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": timestamp(datetime.now(UTC)), "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps({**line, **getattr(record, "facts", {})}).decode()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mockapi", description="A scriptable Messages API: try Stint without a key.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104 - a server in a pod
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: %(default)s)")
    parser.add_argument("--require-key", action="append", metavar="KEY", help="accept only this key or token; may be given more than once")
    parser.add_argument("--prices", type=Path, metavar="FILE", help="price table, JSON (default: list prices)")
    parser.add_argument("--keep", type=int, default=2_000, metavar="N", help="how many requests to remember (default: %(default)s)")
    parser.add_argument("--record-bodies", action="store_true", help="remember the bodies of the newest 100 requests too")
    parser.add_argument("--quiet", action="store_true", help="no log line per request")
    return parser.parse_args(arguments)


async def serve(mock: Mock, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(mock, host, port) as url:
        logging.getLogger("mockapi").warning("listening", extra={"facts": {"url": url}})
        await stopped.wait()


def main() -> int:
    arguments = parse_arguments()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING if arguments.quiet else logging.INFO, handlers=[handler])
    try:
        prices = load_prices(arguments.prices) if arguments.prices else default_prices()
    except (BadScript, OSError) as error:
        print(f"mockapi: {error}", file=sys.stderr)
        return 2
    mock = Mock(Options(arguments.require_key, prices, max(1, arguments.keep), arguments.record_bodies))
    asyncio.run(serve(mock, arguments.host, arguments.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
