"""Means of more rows than memory should hold."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

# Rows that are summed at once: more than Human3.6M has training poses, so that the mean over an
# ordinary set is one sum, as if all its rows had come together.
PIECE = 2**21


class MeanRow:
    """The mean of many rows, in double precision, by sums over pieces of :data:`PIECE` rows.

    Where pieces end depends on how many rows came before, never on how they came, so that the same
    rows in other parts have the same mean, bit for bit.

    Args:
        rows: How many will come, at most.
        size: Numbers in a row.
    """

    def __init__(self, rows: int, size: int) -> None:
        self._piece = torch.empty(min(rows, PIECE), size, dtype=torch.float64)
        self._total = torch.zeros(size, dtype=torch.float64)
        self._waiting = self._count = 0

    def add(self, rows: Float[Tensor, "n J"]) -> None:
        """Take in rows."""
        while len(rows):
            some = rows[: PIECE - self._waiting]
            self._piece[self._waiting : self._waiting + len(some)] = some
            self._waiting += len(some)
            rows = rows[len(some) :]
            if self._waiting == PIECE:
                self._finish_piece()

    def mean(self) -> Float[Tensor, "J"]:
        """The mean of all rows; there has to be one."""
        self._finish_piece()
        return self._total / self._count

    def _finish_piece(self) -> None:
        if self._waiting:
            self._total = self._total + self._piece[: self._waiting].sum(0)
            self._count += self._waiting
            self._waiting = 0
