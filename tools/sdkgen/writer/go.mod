// What both SDK generators share. A module without dependencies, for they pin different versions of Pulumi.
module github.com/dcx/dcx/tools/sdkgen/writer

go 1.25.0
