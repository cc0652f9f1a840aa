"""All scenarios of the fleet; importing the package fills `kit.REGISTRY` in a fixed order."""
from . import acme_support, acme_sales, borealis_operations, borealis_risk, cumulus_devops, cumulus_research  # noqa: F401
from .kit import REGISTRY  # noqa: F401
