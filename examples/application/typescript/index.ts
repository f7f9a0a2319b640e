import * as dcx from "@dcx/pulumi";
import * as pulumi from "@pulumi/pulumi";

const shop = new dcx.Application("shop", {
  file: "../shop.yaml",
  variables: {
    tag: "1.0",
    databaseUrl: new pulumi.Config().requireSecret("databaseUrl"),
  },
});

export const deployment = shop.deploymentId;
export const version = shop.version;
export const url = shop.addresses.apply((addresses) => addresses["public"]);
