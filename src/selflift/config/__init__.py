"""The typed schema of every command: types and defaults here, numbers in ``configs/``."""

from selflift.config.data_schema import (
    DataConfig,
    NoiseConfig,
    RigConfig,
    SubjectsConfig,
    SyntheticConfig,
)
from selflift.config.eval_schema import (
    EvalConfig,
    EvalDataConfig,
)
from selflift.config.plain import (
    from_plain,
    to_yaml,
)
from selflift.config.predict_schema import (
    CameraOptions,
    PredictConfig,
)
from selflift.config.prepare_schema import (
    H36MOptions,
    KeypointOptions,
    MocapOptions,
    MPIInf3DHPOptions,
    PrepareConfig,
)
from selflift.config.train_schema import (
    AdapterConfig,
    BonesConfig,
    CompositeConfig,
    DiscriminatorConfig,
    DomainConfig,
    LifterConfig,
    LossConfig,
    ModelConfig,
    NormaliseConfig,
    OptimConfig,
    SignConfig,
    TemporalConfig,
    TrainConfig,
    TrainerConfig,
    ViewConfig,
)

__all__ = [
    "AdapterConfig",
    "BonesConfig",
    "CameraOptions",
    "CompositeConfig",
    "DataConfig",
    "DiscriminatorConfig",
    "DomainConfig",
    "EvalConfig",
    "EvalDataConfig",
    "H36MOptions",
    "KeypointOptions",
    "LifterConfig",
    "LossConfig",
    "MPIInf3DHPOptions",
    "MocapOptions",
    "ModelConfig",
    "NoiseConfig",
    "NormaliseConfig",
    "OptimConfig",
    "PredictConfig",
    "PrepareConfig",
    "RigConfig",
    "SignConfig",
    "SubjectsConfig",
    "SyntheticConfig",
    "TemporalConfig",
    "TrainConfig",
    "TrainerConfig",
    "ViewConfig",
    "from_plain",
    "to_yaml",
]
