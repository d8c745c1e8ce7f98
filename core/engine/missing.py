"""Says of missing pushes where they were last seen, while a run is on."""

from __future__ import annotations

import asyncio
from typing import Final

from .board import Board
from .cluster import ClusterKeeper
from .stages import ask_stages, stage_in_words

#: Seconds between two rounds of asking; nobody is asked while nothing is missing.
_EVERY: Final = 1.0


async def watch_missing(board: Board, cluster: ClusterKeeper) -> None:
    """Ask the instances about what is missing and is not yet named, until cancelled."""
    while True:
        await asyncio.sleep(_EVERY)
        unnamed = [row for row in board.missing_rows() if row.id not in board.stages]
        if not unnamed:
            continue
        known = await ask_stages(unnamed, cluster.alive(), cluster.guarded)
        deaths = {name: board.seconds(stamp) for name, stamp in cluster.deaths.items()}
        for row in unnamed:
            board.stages[row.id] = stage_in_words(
                row, known.get(row.id), deaths, board.seconds(row.intended_ns)
            )
