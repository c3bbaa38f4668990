"""Draw the figures of docs/method.md, with selflift's own code.

The bodies are those of the built-in procedural human (data=synthetic). Nothing is trained here:
where a lifter is needed, one that knows the truth, or one that finds no depth, stands in for it.

    python scripts/method_figures.py                      # into docs/figures/method_*.png
    python scripts/method_figures.py --adapter RUN_DIR    # also the domain adapter's, see below

The adapter's figure needs SELFLIFT_DATA with the files of cmu17, and a run of

    python -m selflift.train experiment=cmu domain=detector domain.adapter=first
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor, nn

from domain_gap import known_shift
from selflift import checkpoint
from selflift.config import DataConfig, NoiseConfig, RigConfig, SyntheticConfig
from selflift.data.noise import add_noise
from selflift.data.pose_set import PoseSet
from selflift.data.rays import confidences_of, rays_of
from selflift.data.source import load_split
from selflift.geometry.anatomy import knee_score
from selflift.geometry.bodies import body_of, bones_of, recombine, rescale_bones
from selflift.geometry.camera import backproject, project
from selflift.geometry.normalise import Normalised, Normaliser, pose_size
from selflift.geometry.rotation import azimuth, pitch, turn_about_root
from selflift.method.cycle import run_cycle
from selflift.method.domain_adapter import apply_correction
from selflift.method.views import ViewSampler
from selflift.models import DomainAdapter, Lifter
from selflift.models.lifter import Lifted
from selflift.skeleton import H36M_17
from selflift.train.training_data import true_bodies
from selflift.viz import LEFT_COLOUR, RIGHT_COLOUR, TRUNK_COLOUR, bone_colours, save_figure

ROOT = Path(__file__).parents[1]
C = 10.0
GREY, BLUE, ORANGE, GREEN = "#9A9A9A", "#0072B2", "#E69F00", "#009E73"
SIDE_DEG, OBLIQUE_DEG = 90.0, 55.0
PITCH_DEG = 15.0
# Mean offsets of joints are small: they are drawn so many times as long.
ENLARGED = 4.0
# What a panel shows, in head-to-root distances from the root: half the width, lowest, highest.
HALF_WIDTH, LOW, HIGH = 1.1, -1.42, 1.42


class KnownLifter(Lifter):
    """Returns given bodies in turn instead of lifting."""

    def __init__(self, answers: list[Tensor]) -> None:
        super().__init__(width=1, num_blocks=0)
        self.answers = list(answers)

    def lift_with_elevation(self, x: Tensor, confidence: Tensor | None = None) -> Lifted:
        """The next answer."""
        X = self.answers.pop(0)
        return Lifted(X, X[..., 2] - C, None, x)


class FlatLifter(Lifter):
    """Finds no depth: ``d = 0``."""

    def __init__(self) -> None:
        super().__init__(width=1, num_blocks=0)
        nn.init.zeros_(self.depth_head.weight)
        nn.init.zeros_(self.depth_head.bias)


class FixedView(ViewSampler):
    """Always the same view, so that the figure shows what it is to show."""

    def sample(self, like: Tensor, elevation_rad: Tensor | None, generator: object) -> Tensor:
        """Level by the rig's pitch, turn by 70 degrees, pitch again."""
        e = torch.full((len(like),), math.radians(PITCH_DEG))
        return pitch(e) @ azimuth(torch.full_like(e, math.radians(70))) @ pitch(-e)


def load(pitch_std_deg: float = 0.0, scale: str = "sample") -> tuple[PoseSet, Normalised, Tensor]:
    """Synthetic people, their normalised 2D, and the 3D that a perfect lifter would answer."""
    few = SyntheticConfig(test_subjects=4, clips_per_subject=16, frames_per_clip=30)
    rig = RigConfig(pitch_mean_deg=PITCH_DEG, pitch_std_deg=pitch_std_deg)
    poses = load_split(DataConfig(synthetic=few, rig=rig), "test")
    rays = rays_of(poses, "rotate")
    seen = Normaliser.fit(rays, H36M_17, C, "rotate", scale).apply(rays, H36M_17)
    return poses, seen, true_bodies(poses, seen, C)


def find(poses: PoseSet, action: str, frame: int = 15, camera: int = 0) -> int:
    """The row of one frame of the first clip of an action, seen by one of its cameras."""
    rows = np.flatnonzero(poses.action.values == action)
    rows = rows[poses.clip.index[rows] == poses.clip.index[rows[0]]]
    cameras = sorted(set(poses.camera.index[rows].tolist()))
    rows = rows[poses.camera.index[rows] == cameras[camera]]
    return int(rows[frame])


def side(X: Tensor, azimuth_deg: float) -> np.ndarray:
    """An orthographic view of a body, root-centred, y up."""
    X = X - X[H36M_17.root]
    seen = X @ azimuth(torch.tensor(math.radians(azimuth_deg))).mT
    return (seen[:, :2] * torch.tensor([1.0, -1.0])).numpy()


def image(x: Tensor) -> np.ndarray:
    """A 2D pose in head-to-root distances, y up."""
    return (C * x * torch.tensor([1.0, -1.0])).numpy()


def draw(
    ax: Axes,
    points: np.ndarray,
    colour: str | list[str] | None = None,
    width: float = 2.2,
    hidden: np.ndarray | None = None,
) -> None:
    """Draw a body; joints that are hidden, and their bones, are left pale."""
    bones = np.array(H36M_17.bones)
    colours = [colour] * len(bones) if isinstance(colour, str) else colour
    colours = colours or bone_colours(H36M_17)
    shown = [not (hidden is not None and hidden[b].any()) for b in bones]
    for keep, style in ((False, {"alpha": 0.35, "linestyle": ":"}), (True, {})):
        which = [i for i in range(len(bones)) if shown[i] is keep]
        lines = LineCollection(
            [points[bones[i]] for i in which], colors=[colours[i] for i in which],
            linewidths=width, capstyle="round", **style,
        )  # fmt: skip
        ax.add_collection(lines)
    if hidden is not None:
        ax.scatter(*points[hidden].T, s=34, facecolors="white", edgecolors="#444444", zorder=4)
    frame(ax)


def frame(ax: Axes) -> None:
    """The same scale in every panel, so that panels can be compared."""
    ax.set_xlim(-HALF_WIDTH, HALF_WIDTH)
    ax.set_ylim(LOW, HIGH)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")


def panels(
    rows: int, columns: int, wspace: float = 0.06, left: float = 0.09
) -> tuple[Figure, np.ndarray]:
    """A grid of panels for bodies, with room for titles above and labels at the left."""
    figure = Figure(figsize=(1.55 * columns * (1 + wspace) + 12 * left, 2.15 * rows + 0.75))
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=left, right=0.99, bottom=0.42 / (2.15 * rows + 0.75),
        top=1 - 0.36 / (2.15 * rows + 0.75), wspace=wspace, hspace=0.08,
    )  # fmt: skip
    return figure, axes


def label(ax: Axes, text: str) -> None:
    """A label at the left of a row."""
    ax.annotate(
        text, (0, 0.5), (-8, 0), xycoords="axes fraction", textcoords="offset points",
        ha="right", va="center", fontsize=9.5, linespacing=1.4,
    )  # fmt: skip


def legend(figure: Figure, entries: dict[str, str]) -> None:
    """Colours and what they mean, below."""
    handles = [Line2D([], [], color=c, linewidth=2.5, label=name) for name, c in entries.items()]
    figure.legend(
        handles=handles, loc="lower center", ncols=len(entries), frameon=False, fontsize=9.5
    )


SIDES = {"left limbs": LEFT_COLOUR, "right limbs": RIGHT_COLOUR, "trunk": TRUNK_COLOUR}


def figure_cycle() -> Figure:
    """Every symbol of the cycle, for a lifter that knows the truth and for one without depth."""
    poses, seen, bodies = load()
    row = find(poses, "lunge", 6, 0)
    x, X = seen.x[row : row + 1], bodies[row : row + 1]
    views, generator = FixedView(), torch.Generator()
    Y = turn_about_root(X, views.sample(x, None, generator), H36M_17.root, C)
    cycles = {
        "a lifter that\nknows the truth": run_cycle(
            KnownLifter([X, Y]).eval(), x, views, generator
        ),
        "a lifter that\nfinds no depth\n($d=0$)": run_cycle(
            FlatLifter().eval(), x, views, generator
        ),
    }
    columns = [
        ("x", r"$x$", None), ("X", r"$X$", "G"), ("Y", r"$Y$", "R"), ("y", r"$y$", "project"),
        ("Y_hat", r"$\hat{Y}$", "G"), ("X_hat", r"$\hat{X}$", r"$R^{-1}$"),
        ("x_hat", r"$\hat{x}$", "project"),
    ]  # fmt: skip
    figure, axes = panels(2, len(columns), wspace=0.42, left=0.1)
    for i, (name, out) in enumerate(cycles.items()):
        line = axes[i]
        label(line[0], name)
        for ax, (key, title, step) in zip(line, columns, strict=True):
            value = getattr(out, key)[0].detach()
            flat = value.shape[-1] == 2
            draw(ax, image(value) if flat else side(value, OBLIQUE_DEG))
            ax.set_facecolor("#F4F4F4" if flat else "white")
            if not flat:
                looks = {"arrowstyle": "-|>", "color": GREEN, "linewidth": 1.3}
                ax.annotate("", (-0.4, -1.29), (-1.0, -1.29), arrowprops=looks)
            if i == 0:
                ax.set_title(title, fontsize=13)
            if step:
                ax.annotate(
                    "", (-0.03, 0.5), (-0.36, 0.5), xycoords="axes fraction",
                    arrowprops={"arrowstyle": "-|>", "color": "#555555"},
                )  # fmt: skip
                ax.text(-0.2, 0.54, step, transform=ax.transAxes, ha="center", fontsize=9)
    legend(figure, {**SIDES, "where the camera looks": GREEN})
    return figure


def figure_views() -> Figure:
    """One body turned about the camera's y axis, and about the true vertical."""
    poses, _, bodies = load()
    X = bodies[find(poses, "idle", 10, 1)][None]
    samplers = {
        "about the camera's\ny axis: view=paper\n(elevation 0 drawn)": (ViewSampler("paper"), 0.0),
        "about the vertical:\nview=known, or learned\nwhere it is right": (
            ViewSampler("known", elevation_mean_deg=PITCH_DEG), PITCH_DEG,
        ),
    }  # fmt: skip
    turns = (0, 60, 120, 180, 240, 300)
    figure, axes = panels(2, len(turns), left=0.155)
    # Up, as a camera sees it that looks down; it goes through all the turns with the body.
    up = pitch(torch.tensor(math.radians(PITCH_DEG))) @ torch.tensor([0.0, -1.0, 0.0])
    for i, (name, (sampler, elevation)) in enumerate(samplers.items()):
        line = axes[i]
        label(line[0], name)
        for ax, turn in zip(line, turns, strict=True):
            look = pitch(torch.tensor(math.radians(elevation))) @ azimuth(
                torch.tensor(math.radians(turn))
            )
            R = look[None] @ sampler.level(X, None)
            rod = torch.tensor([-1.15, 1.15])[:, None] * (R[0] @ up)
            ends = image(project(rod + torch.tensor([0.0, 0.0, C])))
            ax.plot(*ends.T, color=GREEN, linestyle="--", linewidth=1.4, zorder=0)
            draw(ax, image(project(turn_about_root(X, R, H36M_17.root, C))[0]))
            if i == 0:
                ax.set_title(f"turned by {turn}°", fontsize=10)
    legend(figure, {**SIDES, "gravity, through the hips": GREEN})
    return figure


def figure_size() -> Figure:
    """The sizes of real poses and of random projections of *true* bodies."""
    figure = Figure(figsize=(8.6, 2.7))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    titles = {"sample": "one factor per pose", "set": "one factor for the set"}
    for ax, (scale, title) in zip(axes, titles.items(), strict=True):
        _, seen, bodies = load(pitch_std_deg=3.0, scale=scale)
        e = torch.full((len(bodies),), math.radians(PITCH_DEG))
        views = ViewSampler("known", elevation_mean_deg=PITCH_DEG, elevation_std_deg=3.0)
        R = views.sample(seen.x, e, torch.Generator().manual_seed(0))
        y = project(turn_about_root(bodies, R, H36M_17.root, C))
        bins = np.linspace(0.2, 1.2, 70)
        for x, colour, name in (
            (y, ORANGE, "random projections $y$"),
            (seen.x, BLUE, "real poses $x$"),
        ):
            share = np.full(len(x), 100 / len(x))
            ax.hist(
                C * pose_size(x).numpy(), bins, weights=share, color=colour, alpha=0.75, label=name
            )
        ax.set_title(f"{title}: normalise.scale={scale}", fontsize=10)
        ax.set_xlabel("size of a pose, in head-to-root distances", fontsize=9)
        ax.set_ylabel("% of the poses", fontsize=9)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yscale("log")
    axes[0].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    return figure


def figure_composites() -> Figure:
    """Two bodies that exchange legs and arms, other proportions, a new view."""
    poses, _, bodies = load()
    pair = bodies[[find(poses, "stretch", 6, 0), find(poses, "kick", 6, 0)]]
    upright = ViewSampler("known", elevation_mean_deg=PITCH_DEG).level(pair, None)
    bones = bones_of(pair, H36M_17) @ upright.mT
    # A permutation of two changes nothing half of the time: look for draws that do.
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        legs = recombine(bones, 1, 0, H36M_17, generator)
        both = recombine(legs, 0, 1, H36M_17, generator)
        changed = ((both - bones)[0].norm(dim=-1) > 1e-4).nonzero()[:, 0].tolist()
        if len(changed) == 8:
            break
    scaled = rescale_bones(both, 0.08, H36M_17, torch.Generator().manual_seed(3))
    e = torch.tensor(math.radians(PITCH_DEG))
    look = (pitch(e) @ azimuth(torch.tensor(math.radians(-110.0))))[None]
    Y = turn_about_root(body_of(scaled, H36M_17), look, H36M_17.root, C)
    before = turn_about_root(body_of(both, H36M_17), look, H36M_17.root, C)

    def origin(joints: list[int]) -> list[str]:
        return [ORANGE if child in joints else BLUE for _, child in H36M_17.bones]

    lower = [j for j in changed if j in (2, 3, 5, 6)]
    shown = [
        ("body A", bones, [], 0), ("body B", bones, list(range(17)), 1),
        ("A with B's legs", legs, lower, 0), ("... and B's arms", both, changed, 0),
        ("... new proportions", scaled, changed, 0),
    ]  # fmt: skip
    figure, axes = panels(1, 6, left=0.01)
    for ax, (title, parts, joints, which) in zip(axes[0], shown, strict=False):
        if parts is scaled:
            draw(ax, side(body_of(both, H36M_17)[0], OBLIQUE_DEG), GREY, 1.2)
        draw(ax, side(body_of(parts, H36M_17)[which], OBLIQUE_DEG), origin(joints))
        ax.set_title(title, fontsize=10)
    draw(axes[0, 5], image(project(before)[0]), GREY, 1.2)
    draw(axes[0, 5], image(project(Y)[0]), origin(changed))
    axes[0, 5].set_facecolor("#F4F4F4")
    axes[0, 5].set_title("$x$, from a new view", fontsize=10)
    legend(figure, {"of body A": BLUE, "of body B": ORANGE, "before the bones changed": GREY})
    return figure


def figure_sign() -> Figure:
    """A body and its mirror image in depth: one projection, two bodies."""
    poses, _, bodies = load()
    X = bodies[find(poses, "kneel", 20, 1)]
    mirrored = backproject(project(X), 2 * C - X[:, 2])
    figure, axes = panels(1, 5, left=0.01)
    down = pitch(torch.tensor(math.radians(PITCH_DEG)))
    turn = azimuth(torch.tensor(math.radians(50.0)))
    rows = [
        ("$x$ of both", image(project(X)), None),
        ("$X$, side view", side(X, SIDE_DEG), X),
        ("depths negated, side", side(mirrored, SIDE_DEG), mirrored),
        ("$X$, turned by 50°", (X, down @ turn @ down.mT), None),
        ("negated, by \u221250°", (mirrored, down.mT @ turn.mT @ down), None),
    ]
    first = None
    for ax, (title, shown, body) in zip(axes[0], rows, strict=True):
        if isinstance(shown, tuple):
            Y = turn_about_root(shown[0], shown[1], H36M_17.root, C)
            shown = image(project(Y))
        if first is not None:
            draw(ax, first, GREY, 1.2)
        if body is None and ax is not axes[0, 0]:
            first = shown
        draw(ax, shown)
        ax.set_facecolor("white" if body is not None else "#F4F4F4")
        ax.set_title(title, fontsize=9)
        if body is not None:
            score = f"knee score {knee_score(body[None], H36M_17):+.2f}".replace("-", "\u2212")
            ax.text(0, -1.32, score, ha="center", fontsize=9)
    legend(figure, {**SIDES, "the panel before": GREY})
    return figure


def figure_missing() -> Figure:
    """Incomplete poses, and the joints of a random projection hidden from the second lift."""
    poses, clean, bodies = load()
    rows = [find(poses, "dance", 6, 1), find(poses, "lunge", 14, 0), find(poses, "wave", 14, 2)]
    fitted = Normaliser.fit(rays_of(poses, "rotate"), H36M_17, C, "rotate", "sample")
    for seed in range(100):
        noisy = add_noise(poses.select(np.array(rows)), NoiseConfig("detector", seed, drop=4.0))
        confidence = confidences_of(noisy, True)
        assert confidence is not None
        if ((confidence <= 0).sum(1) >= 1).all() and (confidence <= 0).sum() <= 6:
            break
    seen = fitted.apply(rays_of(noisy, "rotate"), H36M_17)
    # The truth stands in for the first lift: a lifter fills the gaps.
    out = run_cycle(
        KnownLifter([bodies[rows], bodies[rows]]).eval(), clean.x[rows], FixedView(),
        torch.Generator(), confidence,
    )  # fmt: skip
    lacking = (confidence <= 0).numpy()
    hidden = (confidence.roll(1, 0) <= 0).numpy()
    figure, axes = panels(2, 3, left=0.16)
    label(axes[0, 0], "detected $x$:\nwhite joints are\nmissing")
    label(axes[1, 0], "its projection $y$:\nwhite joints are\nhidden from\nthe second lift")
    for i in range(3):
        there = np.where(lacking[i][:, None], image(clean.x[rows[i]]), image(seen.x[i]))
        draw(axes[0, i], there, hidden=lacking[i])
        draw(axes[1, i], image(out.y[i]), hidden=hidden[i])
        axes[0, i].set_title(f"pose {i + 1}", fontsize=10)
        axes[1, i].text(0, 1.27, f"hidden as in pose {(i - 1) % 3 + 1}", ha="center", fontsize=8)
    legend(figure, SIDES)
    return figure


def figure_adapter(run: Path) -> Figure:
    """Effect of an adapter on poses whose clean truth is known: mean offsets, and distances."""
    content = checkpoint.load(run / "checkpoints" / "last.pt")
    adapter = DomainAdapter.from_content(content)
    data = content.metadata["config"]["domain"]["data"]
    noise = NoiseConfig(**data["noise"])
    source = DataConfig(
        source="cmu",
        root=os.environ.get("SELFLIFT_DATA", data["root"]),
        rig=RigConfig(**data["rig"]),
    )
    fitted = rays_of(load_split(replace(source, noise=noise), "train"), "rotate")
    normaliser = Normaliser.fit(fitted, H36M_17, C, "rotate", "sample")
    clean = load_split(source, "val")
    noisy = add_noise(clean, noise)

    def seen(poses: PoseSet) -> Tensor:
        return normaliser.apply(rays_of(poses, "rotate"), H36M_17).x

    x, given = seen(clean), seen(noisy)
    with torch.no_grad():
        moved = apply_correction(
            given, adapter.correction(given), None, H36M_17.root, normaliser.size
        )
    figure = Figure(figsize=(10.6, 3.5))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, width_ratios=[1.15, 1.15, 3.0])
    # Means over people seen from one side: what is left is what the domains define differently.
    across = C * (x[:, H36M_17.legs[0][0], 0] - x[:, H36M_17.legs[1][0], 0])
    for ax, title, rows in (
        (axes[0], "from the front", across > 0.3), (axes[1], "from behind", across < -0.3),
    ):  # fmt: skip
        mean, off, left = (image(p[rows].mean(0)) for p in (x, given - x, moved - x))
        draw(ax, mean, "#CFCFCF", 2.6)
        for arrows, colour in ((off, ORANGE), (left, BLUE)):
            ax.quiver(
                *mean.T, *(ENLARGED * arrows).T, color=colour, angles="xy", scale_units="xy",
                scale=1, width=0.014, headwidth=3.5, headlength=4, zorder=5,
            )  # fmt: skip
        ax.set_xlim(-0.72, 0.72)
        ax.set_ylim(-1.12, 1.25)
        ax.set_title(title, fontsize=9.5)
    shift = known_shift(adapter, clean, noise, normaliser, 4000, np.random.default_rng(0))
    names = [j for j in H36M_17.joints if j != H36M_17.joints[H36M_17.root]]
    place = np.arange(len(names))
    for values, colour, offset in (
        (shift.joints_before, ORANGE, -0.2), (shift.joints_after, BLUE, 0.2),
    ):  # fmt: skip
        axes[2].bar(place + offset, [values[n] for n in names], 0.4, color=colour)
    axes[2].set_xticks(place, names, rotation=60, ha="right", fontsize=8)
    axes[2].tick_params(axis="y", labelsize=8)
    axes[2].set_ylabel("off the clean pose,\n% of a pose's size", fontsize=9)
    axes[2].set_title(
        f"mean over joints: {shift.before:.1f} % before, {shift.after:.1f} % after", fontsize=9.5
    )
    axes[2].spines[["top", "right"]].set_visible(False)
    legend(figure, {"clean pose": GREY, "source $x_s$": ORANGE, "adapted $x_s + C(x_s)$": BLUE})
    figure.subplots_adjust(left=0.01, right=0.99, top=0.91, bottom=0.27, wspace=0.06)
    box = axes[2].get_position()
    axes[2].set_position((box.x0 + 0.055, box.y0, box.width - 0.055, box.height))
    return figure


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "figures")
    parser.add_argument("--adapter", type=Path, help="a run with an adapter; draws its figure too")
    given = parser.parse_args()
    torch.set_num_threads(1)
    figures = {
        "cycle": figure_cycle(), "views": figure_views(), "size": figure_size(),
        "composites": figure_composites(), "sign": figure_sign(), "missing": figure_missing(),
    }  # fmt: skip
    if given.adapter is not None:
        try:
            figures["adapter"] = figure_adapter(given.adapter)
        except (ValueError, OSError) as error:
            print(f"method_figures: {' '.join(str(error).split())}", file=sys.stderr)
            sys.exit(2)
    for name, figure in figures.items():
        path = given.output / f"method_{name}.png"
        save_figure(figure, path)
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
