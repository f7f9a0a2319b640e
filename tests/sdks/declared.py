"""Runs a Pulumi program without an engine, and prints what it declares: type, name and inputs of each resource."""

import asyncio
import json
import runpy
import sys

import pulumi

declared = []


class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        declared.append({"type": args.typ, "name": args.name, "inputs": args.inputs})
        return [f"{args.name}-id", {**args.inputs}]

    def call(self, args):
        raise NotImplementedError(args.token)


asyncio.set_event_loop(asyncio.new_event_loop())
pulumi.runtime.set_mocks(Mocks(), preview=False)
runpy.run_path(sys.argv[1], run_name="__main__")
asyncio.get_event_loop().run_until_complete(pulumi.runtime.stack.wait_for_rpcs())
json.dump(declared, sys.stdout)
