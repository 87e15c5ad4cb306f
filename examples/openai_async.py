"""The `openai` package with asyncio: three concurrent questions, each streamed.

python examples/openai_async.py [QUESTION]
"""

import asyncio
import os
import sys

from openai import AsyncOpenAI

url = os.environ.get("RAG_URL", "http://localhost:3000")
key = os.environ.get("RAG_API_KEY", "none")
question = " ".join(sys.argv[1:]) or "What happens when the engine dies?"


async def answer(client: AsyncOpenAI, top_k: int) -> str:
    stream = await client.chat.completions.create(
        model="rag",
        messages=[{"role": "user", "content": question}],
        max_tokens=30,
        stream=True,
        extra_body={"rag": {"top_k": top_k}},
    )
    return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])


async def main() -> None:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key=key) as client:
        for text in await asyncio.gather(*(answer(client, top_k) for top_k in (1, 2, 3))):
            print(text)


asyncio.run(main())
