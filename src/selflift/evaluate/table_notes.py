"""Captions and notes of tables."""

from __future__ import annotations

from collections.abc import Mapping

from selflift.evaluate.catalogue import ALIGNMENTS, METRICS, Metric, number
from selflift.evaluate.protocols import Protocol
from selflift.evaluate.published import GRADES, Published
from selflift.evaluate.summary import SeedSummary, Summary

Entries = Mapping[str, Summary | SeedSummary]
OVER_ACTIONS, OVER_FRAMES = "mean over actions", "mean over frames"
# In simulations, 95% intervals from 25 clips cover the truth in 95% of sets, from 6 clips in 87%.
FEW_CLIPS = 10


def caption(
    entries: Entries, protocol: Protocol, metrics: list[Metric], label: str, summary: Summary | None
) -> list[str]:
    """Name the poses, the headline, the averaging and the alignment."""
    how = f"{OVER_FRAMES} (the mean over all poses)"
    if protocol.averaging == "actions":
        how = f"{OVER_ACTIONS} (the mean over the poses of each action, then over the actions)"
    headline = METRICS[protocol.headline]
    lead = f"Headline: {headline.title} ({headline.variant}), {how}"
    sentences = [f"Protocol {protocol.name}: {protocol.about}."]
    if summary is not None:
        mean = summary.headline(protocol.headline)
        value = f"{number(headline, mean.value)} {headline.unit}"
        if mean.ci95 is not None:
            low, high = (number(headline, bound) for bound in mean.ci95)
            value += f", 95% interval {low} to {high}"
        sentences.append(f"{lead}: {value}, of {label}.")
    else:
        sentences.append(f"{lead}. All columns are averaged so.")
    variants = dict.fromkeys(metric.variant for metric in metrics)
    sentences.append(f"Alignment: {'; '.join(f'{v}: {ALIGNMENTS[v]}' for v in variants)}.")
    summaries = [entry for entry in entries.values() if isinstance(entry, Summary)]
    if any(entry.headline(protocol.headline).ci95 for entry in summaries):
        clips = " or ".join(dict.fromkeys(str(entry.num_clips) for entry in summaries))
        draws = " or ".join(dict.fromkeys(str(entry.resamples) for entry in summaries))
        sentences.append(
            f"±: half of the 95% interval of a bootstrap over {clips} clips ({draws} resamples)."
        )
    if len(summaries) < len(entries):
        sentences.append("± beside a mean of seeds: sample standard deviation over the seeds.")
    return sentences


def notes(entries: Entries, protocol: Protocol, metrics: list[Metric]) -> list[str]:
    """List oracles, missing metrics, excluded poses and weak intervals."""
    found = []
    if any(metric.oracle for metric in metrics):
        found.append("† oracle: the truth chooses between answers; not a result of the method.")
    if missing := [name for name in protocol.shown if METRICS[name] not in metrics]:
        found.append(f"Not measured: {', '.join(missing)}.")
    # A note that several checkpoints share is printed once.
    of: dict[str, list[str]] = {}
    for label, entry in entries.items():
        for text in _entry_notes(entry, protocol, metrics) if isinstance(entry, Summary) else ():
            of.setdefault(text, []).append(label)
    return [*found, *(f"{', '.join(labels)}: {text}" for text, labels in of.items())]


def _entry_notes(entry: Summary, protocol: Protocol, metrics: list[Metric]) -> list[str]:
    notes = [
        f"{excluded} of {entry.num_poses} poses excluded from {metric.title} ({metric.variant}), "
        "for they can't be scored."
        for metric in metrics
        if (excluded := entry.metrics[metric.name].excluded)
    ]
    alone = entry.single_clip_actions
    if entry.headline(protocol.headline).ci95 is None:
        notes.append("no interval, the set has too few clips for one, or clips of several actions.")
    elif entry.num_clips < FEW_CLIPS:
        notes.append(
            f"of {entry.num_clips} clips only; intervals from so few cover the truth less often "
            "than they say."
        )
    elif protocol.averaging == "actions" and len(alone) == 1:
        notes.append(f"{alone[0]} has one clip, whose variation the interval leaves out.")
    elif protocol.averaging == "actions" and alone:
        notes.append(
            f"{', '.join(alone)} have one clip each and are drawn as one action, which makes the "
            "interval wide rather than narrow."
        )
    return notes


def published_notes(listed: list[Published], protocol: Protocol) -> list[str]:
    """Say what limits the published numbers, once for all that share it."""
    of: dict[str, dict[str, None]] = {}
    for own in listed:
        facts = [own.note, GRADES[own.grade]]
        if not own.comparable(protocol.name):
            measured = f"measured as in {own.protocol}" if own.protocol else ""
            facts = ["not comparable", measured, *facts]
        of.setdefault("; ".join(filter(None, facts)), {})[own.method] = None
    return [f"{', '.join(methods)}: {facts}." for facts, methods in of.items()]
