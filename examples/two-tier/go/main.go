package main

import (
	"github.com/dcx/dcx/sdk/go/dcx"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		shop, err := dcx.NewDeployment(ctx, "shop", &dcx.DeploymentArgs{
			Infrastructures: dcx.InfrastructureMap{
				"west": infrastructure("us-west", "500m", "0.40/h"),
				"east": infrastructure("us-east", "250m", "0.25/h"),
			},
			MaxCostPerMonth: pulumi.String("600"),
		})
		if err != nil {
			return err
		}
		api, err := dcx.NewWorkload(ctx, "api", &dcx.WorkloadArgs{
			Deployment:     shop.ID(),
			Name:           pulumi.String("api"),
			Infrastructure: pulumi.String("east"),
			Container:      pulumi.String("dcx.example/two-tier-api:1.0"),
			Ports:          pulumi.IntArray{pulumi.Int(9000)},
		})
		if err != nil {
			return err
		}
		web, err := dcx.NewWorkload(ctx, "web", &dcx.WorkloadArgs{
			Deployment:     shop.ID(),
			Name:           pulumi.String("web"),
			Infrastructure: pulumi.String("west"),
			Container:      pulumi.String("dcx.example/two-tier-web:1.0"),
			Ports:          pulumi.IntArray{pulumi.Int(8080)},
			// Answers only when api does: a workload may depend on a connection that is declared after it.
			HealthCheck: dcx.HealthCheckArgs{Http: pulumi.String("/healthz")},
		})
		if err != nil {
			return err
		}
		if _, err := dcx.NewConnection(ctx, "web-to-api", &dcx.ConnectionArgs{
			Deployment: shop.ID(),
			Name:       pulumi.String("web-to-api"),
			To:         api.Name,
			Port:       pulumi.Int(9000),
			From:       dcx.SourceArgs{Workload: web.Name},
		}); err != nil {
			return err
		}
		public, err := dcx.NewConnection(ctx, "public", &dcx.ConnectionArgs{
			Deployment: shop.ID(),
			Name:       pulumi.String("public"),
			To:         web.Name,
			Port:       pulumi.Int(8080),
			From:       dcx.SourceArgs{Global: pulumi.Bool(true)},
		})
		if err != nil {
			return err
		}
		ctx.Export("deployment", shop.DeploymentId)
		ctx.Export("leases", shop.Leases)
		ctx.Export("url", public.Address)
		return nil
	})
}

// infrastructure is one compute unit in a region, at a highest price.
func infrastructure(region, cpu, maxPrice string) dcx.InfrastructureArgs {
	return dcx.InfrastructureArgs{
		Region:  pulumi.String(region),
		Persist: pulumi.Bool(true),
		Resources: dcx.ResourceGroupArray{dcx.ResourceGroupArgs{
			Cpu:      pulumi.String(cpu),
			Memory:   pulumi.String("256Mi"),
			Disk:     pulumi.String("1Gi"),
			MaxPrice: pulumi.String(maxPrice),
		}},
	}
}
