export { Application, type ApplicationLog, type ApplicationOptions } from "./application";
export { FacilitatorMismatch } from "./facilitator-part";
