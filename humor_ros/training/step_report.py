"""What one step of a training says."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StepReport"]


@dataclass(frozen=True)
class StepReport:
    """Number of the step, total loss, its terms, rate, gradient norm, minutes so far."""

    step: int
    loss: float
    terms: dict[str, float]
    learning_rate: float
    gradient_norm: float
    minutes: float

    def row(self) -> dict[str, float]:
        """Of the curve."""
        return {
            "step": float(self.step),
            "minutes": self.minutes,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "gradient_norm": self.gradient_norm,
            **self.terms,
        }
