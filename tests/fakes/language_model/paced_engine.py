from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncGenerator, Iterator

from rag.types import StreamEnd, TextDelta, Usage
from tests.fakes.language_model.instant_engine import InstantEngine

_SECTION = """## Section {number}

The pump of line {number} starts *only* if the pressure is above **2 bar** [1]. The valve opens by itself, and the
[manual](https://pumps.example/manual) says that it closes again after a minute [1].

- Check the filter, `pump --check {number}`, before each start.
- Write down the pressure and the temperature [1].

| part | pressure | temperature |
|---|---|---|
| pump {number} | 2.4 bar | 41 °C |
| valve {number} | 2.1 bar | 38 °C |

```python
def start(line: int = {number}) -> None:
    open_valve(line)
```

"""
_TOKEN = re.compile(r"\s*\S{1,4}\s?")
"""As long as a token of English text: four characters and the space."""


class PacedEngine(InstantEngine):
    """Writes a long answer in Markdown, with citations, at a steady pace."""

    TOKENS = 1500

    def __init__(self, tokens_per_s: float) -> None:
        super().__init__()
        self._pause_s = 1 / tokens_per_s

    async def _words(self, prompt_tokens: int) -> AsyncGenerator[TextDelta | StreamEnd, None]:
        started = time.monotonic()
        for number, token in enumerate(itertools.islice(_tokens(), self.TOKENS)):
            await asyncio.sleep(max(0.0, started + number * self._pause_s - time.monotonic()))
            yield TextDelta(token)
        yield StreamEnd("stop", Usage(prompt_tokens, self.TOKENS, 0))


def _tokens() -> Iterator[str]:
    for number in itertools.count(1):
        yield from _TOKEN.findall(_SECTION.format(number=number))
