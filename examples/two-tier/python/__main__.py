import pulumi
import pulumi_dcx as dcx

shop = dcx.Deployment(
    "shop",
    infrastructures={
        "west": {
            "region": "us-west",
            "persist": True,
            "resources": [{"cpu": "500m", "memory": "256Mi", "disk": "1Gi", "max_price": "0.40/h"}],
        },
        "east": {
            "region": "us-east",
            "persist": True,
            "resources": [{"cpu": "250m", "memory": "256Mi", "disk": "1Gi", "max_price": "0.25/h"}],
        },
    },
    max_cost_per_month="600",
)

api = dcx.Workload(
    "api",
    deployment=shop.id,
    name="api",
    infrastructure="east",
    container="dcx.example/two-tier-api:1.0",
    ports=[9000],
)

web = dcx.Workload(
    "web",
    deployment=shop.id,
    name="web",
    infrastructure="west",
    container="dcx.example/two-tier-web:1.0",
    ports=[8080],
    # Answers only when api does: a workload may depend on a connection that is declared after it.
    health_check={"http": "/healthz"},
)

dcx.Connection(
    "web-to-api",
    deployment=shop.id,
    name="web-to-api",
    to=api.name,
    port=9000,
    from_={"workload": web.name},
)

public = dcx.Connection(
    "public",
    deployment=shop.id,
    name="public",
    to=web.name,
    port=8080,
    from_={"global_": True},
)

pulumi.export("deployment", shop.deployment_id)
pulumi.export("leases", shop.leases)
pulumi.export("url", public.address)
