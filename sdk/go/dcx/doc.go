// Deploy to decentralized cloud exchanges: capacity, workloads and connections.
package dcx
