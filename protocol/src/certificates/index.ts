export {
  createRootProof,
  MAX_CERTIFICATE_BYTES,
  type RootClaim,
  rootCertificateProblem,
  rootProofPayload,
} from "./root-proof";
