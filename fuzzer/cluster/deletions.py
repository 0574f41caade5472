"""How is something cleaned up for certain?

A run that is cancelled while it cleans up would leave behind what it was about to delete.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def whatever_happens(deleting: Coroutine[Any, Any, object]) -> None:
    """Go through with it although this run is being cancelled (Ctrl-C)."""
    task = asyncio.create_task(deleting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
