"""Images to embeddings, views to pairs: the last place where torch tensors are seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from simclr_core.augment import augment_pair, augment_views
from simclr_core.checkpoints import Encoder
from simclr_core.config import AugmentConfig, to_dict
from simclr_core.device import choose_device
from simclr_core.errors import DataError, sentence
from simclr_core.forward import BATCH, embed, image_tensor, unit_interval
from simclr_core.layouts import NORMALISATIONS
from simclr_core.learner import still_statistics
from simclr_core.operations import OPERATIONS, without
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import EmbeddingTable, ImageSet, PairTable, Space
from simclr_core.why import VIEWS, Eye

# Pictures whose pairs stand beside a pair: 4,950 of 100; 780 of 40 where a picture is large and encoding it slow.
BESIDE, BESIDE_LARGE, LARGE = 100, 40, 96


def encode(encoder: Encoder, images: ImageSet, *, device: str = "auto", progress: Progress = silent) -> EmbeddingTable:
    """Encode every picture as it is, without augmentation.

    Args:
        encoder: from `load_encoder`; used in evaluation mode.
        images: any number of pictures; resized to the encoder's picture size where it has one.
        device: where to compute.
        progress: heard after every batch; stopping raises `Stopped`.

    Returns:
        h (n, dh) and z (n, dz), float32, row i from picture i.
    """
    where = choose_device(device)
    encoder.module.to(where).eval()
    h: list[np.ndarray] = []
    z: list[np.ndarray] = []
    for start in range(0, len(images), BATCH):
        rows = unit_interval(image_tensor(images.image[start : start + BATCH], where), encoder.image_size)
        for column, part in zip((h, z), embed(encoder.module, rows), strict=True):
            column.append(part)
        if progress(min(1.0, (start + BATCH) / len(images)), "encoding"):
            raise Stopped
    return EmbeddingTable(
        h=np.concatenate(h),
        z=np.concatenate(z),
        label=images.label,
        index=images.index,
        class_names=images.class_names,
        encoder=encoder.provenance,
        spec=images.spec,
        split=images.split,
    )


def draw_views(
    images: ImageSet, config: AugmentConfig, seed: int, size: int | None, views: int = 2
) -> tuple[Tensor, ...]:
    """The views of each picture that a seed stands for, floats in [0, 1]; the same on every machine's CPU.

    The first two are the same however many are drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = image_tensor(images.image, torch.device("cpu"))
    pair = augment_pair(pixels, config, generator, size=size)
    return (*pair, *(augment_views(pixels, config, generator, size=size) for _ in range(views - 2)))


def encode_pairs(
    encoder: Encoder, images: ImageSet, *, augment: AugmentConfig, seed: int = 0, views: int = 2
) -> PairTable:
    """Draw two or more views of every picture and encode them.

    Args:
        encoder: used in evaluation mode, on the CPU: pair tables are small, and their views must be drawn again alike.
        images: the pictures; 512 suffice for the histograms.
        augment: the recipe of the views.
        seed: what the views are drawn from.
        views: how many of each; LiDAR needs 4.
    """
    if views < 2:
        raise DataError(sentence("views", "at least 2", views, "a distance needs two"))
    encoder.module.cpu().eval()
    drawn = draw_views(images, augment, seed, encoder.image_size, views)
    (h_a, z_a), (h_b, z_b), *more = (embed(encoder.module, v) for v in drawn)
    h_more, z_more = (np.stack(m, axis=1) for m in zip(*more, strict=True)) if more else (None, None)
    return PairTable(
        z_more=z_more,
        h_more=h_more,
        z_a=z_a,
        z_b=z_b,
        h_a=h_a,
        h_b=h_b,
        label=images.label,
        index=images.index,
        encoder=encoder.provenance,
        seed=seed,
        augment=to_dict(augment),
    )


def encode_views(
    encoder: Encoder, image: np.ndarray, views: int, *, augment: AugmentConfig, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K views of one picture: their pixels (k, s, s, 3) uint8, h (k, dh) and z (k, dz)."""
    if views < 2:
        raise DataError(sentence("views", "at least 2", views, "a distance needs two"))
    encoder.module.cpu().eval()
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].repeat(views, 1, 1, 1)
    generator = torch.Generator().manual_seed(seed)
    x = augment_views(pixels, augment, generator, size=encoder.image_size)
    h, z = embed(encoder.module, x)
    return to_pixels(x), h, z


def eye_of(encoder: Encoder, space: Space, pictures: ImageSet) -> Eye:
    """An encoder as `why.explain` asks it: on the CPU, with its own recipe, beside the pairs of some pictures.

    Args:
        encoder: used in evaluation mode.
        space: which embeddings are compared.
        pictures: those that a pair comes from.
    """
    recipe = encoder.config.augment
    recipes = {"": recipe} | {name: without(recipe, name) for name in OPERATIONS if not OPERATIONS[name].part_of}

    def encoded(image: np.ndarray) -> np.ndarray:
        few = ImageSet(image=np.array(image), label=None, index=np.arange(len(image)), spec="", split="test")
        return encode(encoder, few, device="cpu").space(space)

    def views(image: np.ndarray, left_out: str, seed: int) -> np.ndarray:
        _, h, z = encode_views(encoder, np.array(image), VIEWS, augment=recipes[left_out], seed=seed)
        return h if space == "h" else z

    side = encoder.image_size or max(pictures.image.shape[1:3])
    beside = pictures.sample(BESIDE_LARGE if side > LARGE else BESIDE).image
    used = tuple(name for name, left in recipes.items() if left != recipe)
    return Eye(encode=encoded, beside=beside, views=views, operations=used)


def normalisation_fit(encoder: Encoder, images: ImageSet, *, seed: int = 0) -> dict[str, float]:
    """How far views of these pictures lie from the statistics that the network's BatchNorms remember, by normalisation.

    Args:
        encoder: left as it was.
        images: like those it was trained on; a hundred suffice.
        seed: draws the views.

    Returns:
        Name of each candidate, and "file" for the one in use → mean over channels of (μ−μ₀)²/σ₀² + (ln σ/σ₀)²; the lowest is the
        likeliest. {} where the network has no BatchNorm.
    """
    model = encoder.module.cpu().eval()
    in_use = (model.mean.clone(), model.std.clone())
    given = {name: [torch.tensor(v).view(1, 3, 1, 1) for v in pair] for name, pair in NORMALISATIONS.items()}
    (views, *_) = draw_views(images, encoder.config.augment, seed, encoder.image_size)
    found: dict[str, float] = {}
    distances: list[Tensor] = []

    def compare(layer: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        variance, mean = torch.var_mean(x, (0, 2, 3))
        kept = layer.running_var.clamp_min(1e-12)
        moved = (mean - layer.running_mean).square() / kept
        distances.append((moved + (0.5 * (variance.clamp_min(1e-12) / kept).log()).square()).mean())

    hooks = [m.register_forward_pre_hook(compare) for m in model.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    try:
        with torch.inference_mode():
            for name, (mean, std) in {"file": in_use, **given}.items() if hooks else ():
                distances.clear()
                model.mean.copy_(mean), model.std.copy_(std)
                model(views)
                found[name] = torch.stack(distances).mean().item()
    finally:
        model.mean.copy_(in_use[0]), model.std.copy_(in_use[1])
        for hook in hooks:
            hook.remove()
    return found


def to_pixels(x: Tensor) -> np.ndarray:
    """Views in [0, 1] (b, 3, s, s) as uint8 pictures (b, s, s, 3)."""
    return (x * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def batch_norm_agreement(
    encoder: Encoder, images: ImageSet, sizes: Sequence[int], *, augment: AugmentConfig, seed: int = 0
) -> list[float]:
    """How alike z is in training mode, where BatchNorm sees a batch, and in evaluation mode, where it sees the past.

    Args:
        encoder: left in evaluation mode, its statistics untouched.
        images: as many as the largest size, or more.
        sizes: images of a batch, two views each.

    Returns:
        For each size the mean cosine of every view's two z; 1 where nothing depends on the batch.
    """
    model = encoder.module.cpu().eval()
    views = torch.cat(draw_views(images, augment, seed, encoder.image_size))
    n = len(images)
    found = []
    with torch.inference_mode(), still_statistics(model):
        still = [model(part)[1] for part in views.split(BATCH)]
        expected = functional.normalize(torch.cat(still), dim=1)
        model.train()
        for size in sizes:
            cosines = []
            for start in range(0, n - size + 1, size):
                rows = torch.cat([torch.arange(start, start + size) + offset for offset in (0, n)])
                z = functional.normalize(model(views[rows])[1], dim=1)
                cosines.append((z * expected[rows]).sum(1))
            found.append(torch.cat(cosines).mean().item())
    model.eval()
    return found
