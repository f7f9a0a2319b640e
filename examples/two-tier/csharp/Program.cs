using System.Collections.Generic;
using Dcx.Sdk;
using Dcx.Sdk.Inputs;

return await Pulumi.Deployment.RunAsync(() =>
{
    var shop = new Deployment("shop", new DeploymentArgs
    {
        Infrastructures =
        {
            ["west"] = Infrastructure("us-west", "500m", "0.40/h"),
            ["east"] = Infrastructure("us-east", "250m", "0.25/h"),
        },
        MaxCostPerMonth = "600",
    });

    var api = new Workload("api", new WorkloadArgs
    {
        Deployment = shop.Id,
        Name = "api",
        Infrastructure = "east",
        Container = "dcx.example/two-tier-api:1.0",
        Ports = { 9000 },
    });

    var web = new Workload("web", new WorkloadArgs
    {
        Deployment = shop.Id,
        Name = "web",
        Infrastructure = "west",
        Container = "dcx.example/two-tier-web:1.0",
        Ports = { 8080 },
        // Answers only when api does: a workload may depend on a connection that is declared after it.
        HealthCheck = new HealthCheckArgs { Http = "/healthz" },
    });

    _ = new Dcx.Sdk.Connection("web-to-api", new Dcx.Sdk.ConnectionArgs
    {
        Deployment = shop.Id,
        Name = "web-to-api",
        To = api.Name,
        Port = 9000,
        From = new SourceArgs { Workload = web.Name },
    });

    var open = new Dcx.Sdk.Connection("public", new Dcx.Sdk.ConnectionArgs
    {
        Deployment = shop.Id,
        Name = "public",
        To = web.Name,
        Port = 8080,
        From = new SourceArgs { Global = true },
    });

    return new Dictionary<string, object?>
    {
        ["deployment"] = shop.DeploymentId,
        ["leases"] = shop.Leases,
        ["url"] = open.Address,
    };
});

// One compute unit in a region, at a highest price.
static InfrastructureArgs Infrastructure(string region, string cpu, string maxPrice) => new()
{
    Region = region,
    Persist = true,
    Resources = { new ResourceGroupArgs { Cpu = cpu, Memory = "256Mi", Disk = "1Gi", MaxPrice = maxPrice } },
};
