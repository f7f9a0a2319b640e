/** A listener that leads to one address, with TLS on one side of it. */
export interface EnvoyEnd {
  readonly listen: number;
  readonly to: number;
  /** The side that has TLS. */
  readonly tls: "listener" | "cluster";
  readonly certificate: string;
  readonly key: string;
  /** PEM of the root that the other end's certificate is under, and the URI in it. */
  readonly root: string;
  readonly peer: string;
}

/**
 * Envoy's own defaults, but for what the overlay does too: TLS 1.3, a certificate asked for and checked against one root
 * and one URI, no resumption by tickets.
 */
export function envoyConfiguration({ listen, to, tls, certificate, key, root, peer }: EnvoyEnd): object {
  const common = {
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [{ certificate_chain: { inline_string: certificate }, private_key: { inline_string: key } }],
    validation_context: {
      trusted_ca: { inline_string: root },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: peer } }],
    },
  };
  const type = "type.googleapis.com/envoy.extensions";
  const transport = (config: object) => ({
    transport_socket: { name: "envoy.transport_sockets.tls", typed_config: config },
  });
  const socket = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
  const downstream = transport({
    "@type": `${type}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    disable_stateless_session_resumption: true,
    common_tls_context: common,
  });
  const upstream = transport({
    "@type": `${type}.transport_sockets.tls.v3.UpstreamTlsContext`,
    sni: "tunnel.dcx",
    max_session_keys: 0,
    common_tls_context: common,
  });
  return {
    static_resources: {
      listeners: [
        {
          name: "in",
          address: socket(listen),
          filter_chains: [
            {
              filters: [
                {
                  name: "envoy.filters.network.tcp_proxy",
                  typed_config: {
                    "@type": `${type}.filters.network.tcp_proxy.v3.TcpProxy`,
                    stat_prefix: "tunnel",
                    cluster: "out",
                  },
                },
              ],
              ...(tls === "listener" ? downstream : {}),
            },
          ],
        },
      ],
      clusters: [
        {
          name: "out",
          type: "STATIC",
          connect_timeout: "5s",
          load_assignment: {
            cluster_name: "out",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(to) } }] }],
          },
          ...(tls === "cluster" ? upstream : {}),
        },
      ],
    },
  };
}
