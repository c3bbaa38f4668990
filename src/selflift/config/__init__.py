"""Typed configs of every command; YAML in ``configs/`` holds the numbers and explains the keys."""

from selflift.config.data_schema import (
    DataConfig,
    NoiseConfig,
    RigConfig,
    SubjectsConfig,
    SyntheticConfig,
)
from selflift.config.eval_schema import EvalConfig, EvalDataConfig
from selflift.config.plain import from_plain, to_yaml
from selflift.config.predict_schema import CameraOptions, PredictConfig
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
    EngineConfig,
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
    "AdapterConfig", "BonesConfig", "CameraOptions", "CompositeConfig", "DataConfig",
    "DiscriminatorConfig", "DomainConfig", "EngineConfig", "EvalConfig", "EvalDataConfig",
    "H36MOptions", "KeypointOptions", "LifterConfig", "LossConfig", "MPIInf3DHPOptions",
    "MocapOptions", "ModelConfig", "NoiseConfig", "NormaliseConfig", "OptimConfig",
    "PredictConfig", "PrepareConfig", "RigConfig", "SignConfig", "SubjectsConfig",
    "SyntheticConfig", "TemporalConfig", "TrainConfig", "TrainerConfig", "ViewConfig",
    "from_plain", "to_yaml",
]  # fmt: skip
