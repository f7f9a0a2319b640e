package twotier;

import com.pulumi.Pulumi;
import dcx.sdk.Connection;
import dcx.sdk.ConnectionArgs;
import dcx.sdk.Deployment;
import dcx.sdk.DeploymentArgs;
import dcx.sdk.Workload;
import dcx.sdk.WorkloadArgs;
import dcx.sdk.inputs.HealthCheckArgs;
import dcx.sdk.inputs.InfrastructureArgs;
import dcx.sdk.inputs.ResourceGroupArgs;
import dcx.sdk.inputs.SourceArgs;
import java.util.Map;

public final class App {
    public static void main(String[] args) {
        Pulumi.run(context -> {
            var shop = new Deployment("shop", DeploymentArgs.builder()
                .infrastructures(Map.of(
                    "west", infrastructure("us-west", "500m", "0.40/h"),
                    "east", infrastructure("us-east", "250m", "0.25/h")))
                .maxCostPerMonth("600")
                .build());

            var api = new Workload("api", WorkloadArgs.builder()
                .deployment(shop)
                .name("api")
                .infrastructure("east")
                .container("dcx.example/two-tier-api:1.0")
                .ports(9000)
                .build());

            var web = new Workload("web", WorkloadArgs.builder()
                .deployment(shop)
                .name("web")
                .infrastructure("west")
                .container("dcx.example/two-tier-web:1.0")
                .ports(8080)
                // Answers only when api does: a workload may depend on a connection that is declared after it.
                .healthCheck(HealthCheckArgs.builder().http("/healthz").build())
                .build());

            new Connection("web-to-api", ConnectionArgs.builder()
                .deployment(shop)
                .name("web-to-api")
                .to(api.name())
                .port(9000)
                .from(SourceArgs.builder().workload(web.name()).build())
                .build());

            var open = new Connection("public", ConnectionArgs.builder()
                .deployment(shop)
                .name("public")
                .to(web.name())
                .port(8080)
                .from(SourceArgs.builder().global(true).build())
                .build());

            context.export("deployment", shop.deploymentId());
            context.export("leases", shop.leases());
            context.export("url", open.address());
        });
    }

    /** One compute unit in a region, at a highest price. */
    private static InfrastructureArgs infrastructure(String region, String cpu, String maxPrice) {
        return InfrastructureArgs.builder()
            .region(region)
            .persist(true)
            .resources(ResourceGroupArgs.builder().cpu(cpu).memory("256Mi").disk("1Gi").maxPrice(maxPrice).build())
            .build();
    }
}
