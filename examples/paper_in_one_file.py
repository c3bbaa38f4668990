"""The paper in one file: 3D human poses from 2D poses alone (Chen et al., CVPR 2019).

    x --G--> X --R--> Y --project--> y --G--> Y_hat --R^-1--> X_hat --project--> x_hat

A right lifter G closes the loop in 3D (Y = Y_hat) and in 2D (x = x_hat), and y looks real to D.
Differs from the paper (docs/method.md): G also predicts how far the camera looks down (Wandt et
al., CVPR 2022), the game is least squares, and D sees poses of one size. Run it:

    python examples/paper_in_one_file.py [data.h5]  # trains on all people but the last
"""

import math
import sys
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selflift.config import DataConfig
from selflift.data import PoseSet, load_split

C, MIN_DEPTH = 10.0, 1.0  # the body stands at depth c; no joint comes nearer than 1
W_2D, W_3D, W_ADV = 1.0, 0.1, 1.0  # the paper: 10, 0.001, 1
WIDTH, BATCH, STEPS = 256, 256, 3000  # the paper: 1024, 8192, 300 epochs
LR_G, LR_D, BETAS = 1e-3, 2e-4, (0.5, 0.9)  # the paper: 2e-4 for both


class Network(nn.Module):
    """Linear in, residual blocks of two layers, linear out; batch norm in the lifter alone."""

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int, norm: bool) -> None:
        super().__init__()

        def layer(inputs: int) -> list[nn.Module]:
            between = [nn.BatchNorm1d(width)] if norm else []
            return [nn.Linear(inputs, width, bias=not norm), *between, nn.ReLU()]

        self.first = nn.Sequential(*layer(inputs))
        block = (nn.Sequential(*layer(width), *layer(width)) for _ in range(blocks))
        self.blocks, self.last = nn.ModuleList(block), nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.flatten(1))
        for block in self.blocks:
            h = h + block(h)
        return self.last(h)


def lift(G: Network, x: Tensor, root: int, real: bool = True) -> tuple[Tensor, Tensor]:
    """X (d of the root is 0), and the elevation of the camera, within 45 degrees."""
    for norm in [m for m in G.modules() if isinstance(m, nn.BatchNorm1d)]:
        norm.momentum = 0.1 if real else 0.0  # statistics for inference: of real poses alone
    d, raw = G(x).split([x.shape[1], 1], dim=1)
    z = (C + d * (torch.arange(x.shape[1]) != root)).clamp_min(MIN_DEPTH)[..., None]
    return torch.cat([x * z, z], -1), math.pi / 4 * torch.tanh(raw[:, 0] / (math.pi / 4))


def project(X: Tensor) -> Tensor:
    return X[..., :2] / X[..., 2:].clamp_min(MIN_DEPTH)


def rotation(axis: str, angle: Tensor) -> Tensor:
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = {"x": [i, o, o, o, c, -s, o, s, c], "y": [c, o, s, o, i, o, -s, o, c]}[axis]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def cycle(G: Network, x: Tensor, root: int, draws: torch.Generator) -> SimpleNamespace:
    X, elevation = lift(G, x, root)
    # Set each body upright by its own elevation, turn it, and look down on it like the others.
    azimuth = math.pi * torch.empty_like(elevation).uniform_(-1, 1, generator=draws)
    noise = torch.empty_like(elevation).normal_(generator=draws)
    new = elevation.mean() + elevation.std(correction=0) * noise
    R = rotation("x", new) @ rotation("y", azimuth) @ rotation("x", -elevation)
    X_root, at_c = X[:, root, None], torch.tensor([0.0, 0.0, C])
    Y = (X - X_root) @ R.mT + at_c
    y = project(Y)
    Y_hat, _ = lift(G, y, root, real=False)
    X_hat = (Y_hat - at_c) @ R + X_root
    return SimpleNamespace(x=x, X=X, Y=Y, y=y, Y_hat=Y_hat, X_hat=X_hat, x_hat=project(X_hat))


def losses(D: Network, out: SimpleNamespace) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """L_2D, L_3D, and the two sides of the game: the lifter's and the discriminator's."""
    real, fake = (p / p.square().sum(-1).mean(-1).sqrt()[:, None, None] for p in (out.x, out.y))
    L_2D = (out.x - out.x_hat).square().sum(-1).mean()
    L_3D = (out.Y - out.Y_hat).square().sum(-1).mean()
    L_D = 0.5 * ((D(real) - 1).square().mean() + D(fake.detach()).square().mean())
    return L_2D, L_3D, 0.5 * (D(fake) - 1).square().mean(), L_D


def mirrored(X: Tensor, poses: PoseSet) -> bool:
    """Knees bend backward on the whole: these are the mirror images, which project alike."""
    (left, *_), (right, *_) = legs = poses.skeleton.legs
    up = X[:, poses.skeleton.head] - X[:, poses.skeleton.root]
    forward = F.normalize(torch.linalg.cross(X[:, left] - X[:, right], up), dim=-1)
    bend = sum(X[:, knee] - (X[:, hip] + X[:, ankle]) / 2 for hip, knee, ankle in legs)
    return bool((bend * forward).sum() < 0)


def normalise(poses: PoseSet) -> Tensor:  # one size for all: heads are about 1 / c from the root
    x = torch.from_numpy(poses.poses_2d - poses.poses_2d[:, poses.skeleton.root, None])
    return x * 0.7 / C / x.square().sum(-1).mean(-1).sqrt()[:, None, None]


def train(poses: PoseSet, steps: int = STEPS, width: int = WIDTH) -> Network:
    draws, x_all, J = torch.manual_seed(0), normalise(poses), poses.skeleton.num_joints
    G, D = Network(2 * J, J + 1, width, 4, norm=True), Network(2 * J, 1, width, 3, norm=False)
    optimiser_G = torch.optim.Adam(G.parameters(), LR_G, BETAS)
    optimiser_D = torch.optim.Adam(D.parameters(), LR_D, BETAS)
    for step in range(steps):
        for optimiser, lr in ((optimiser_G, LR_G), (optimiser_D, LR_D)):
            optimiser.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
        x = x_all[torch.randint(len(x_all), (BATCH,), generator=draws)]
        out = cycle(G, x, poses.skeleton.root, draws)
        L_2D, L_3D, L_adv, L_D = losses(D, out)
        optimiser_G.zero_grad()
        (W_2D * L_2D + W_3D * L_3D + W_ADV * L_adv).backward()
        optimiser_G.step()
        if step % 3 == 0:  # less often than G, or D wins
            optimiser_D.zero_grad()
            L_D.backward()
            optimiser_D.step()
        if step % 100 == 99 and mirrored(out.X.detach(), poses):
            for p in G.last.parameters():  # all depths and elevations change their sign
                p.data.neg_()
        if step % 300 == 299:
            print(f"{step + 1}: 2D {L_2D:.5f}, 3D {L_3D:.4f}, adversarial {L_adv:.3f}, D {L_D:.3f}")
    return G.eval()


def pa_mpjpe(P: Tensor, T: Tensor) -> float:
    """Mean distance of joints after the best similarity transform without reflection, in mm."""
    P, T = P - P.mean(1, keepdim=True), T - T.mean(1, keepdim=True)
    U, S, Vh = torch.linalg.svd(P.mT @ T)
    signs = torch.stack([torch.ones_like(S[:, 0])] * 2 + [torch.det(U @ Vh)], -1)
    scale = (S * signs).sum(-1) / P.square().sum((1, 2))
    return float((scale[:, None, None] * P @ (U * signs[:, None]) @ Vh - T).norm(dim=-1).mean())


if __name__ == "__main__":
    poses = PoseSet.load(sys.argv[1]) if sys.argv[1:] else load_split(DataConfig(), "train")
    last = poses.subject.index == poses.subject.index.max()
    unseen = poses.select(last)
    G, x, T = train(poses.select(~last)), normalise(unseen), torch.from_numpy(unseen.poses_3d)
    X = lift(G, x, unseen.skeleton.root)[0].detach()
    print(f"PA-MPJPE {pa_mpjpe(X, T):.1f} mm; flat: {pa_mpjpe(F.pad(x, (0, 1)), T):.1f} mm")
