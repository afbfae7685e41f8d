variable "project" {
  description = "Project that holds everything"
  type        = string
}

variable "region" {
  description = "Region, such as europe-west3"
  type        = string
}

variable "name" {
  description = "Start of the names of all resources"
  type        = string
  default     = "holdfast"
}

variable "image" {
  description = "Image of deploy/docker/ground.Dockerfile in your registry, with its digest"
  type        = string
}

variable "network" {
  description = "Network of the database and the ground, as projects/PROJECT/global/networks/NAME"
  type        = string
}

variable "subnetwork" {
  description = "Subnetwork in the region, for the ground"
  type        = string
}

variable "bucket" {
  description = "Name of the bucket for recordings, unique in the world"
  type        = string
}

variable "archive_after_days" {
  description = "Recordings move to colder storage after so many days"
  type        = number
  default     = 90
}

variable "database_tier" {
  description = "Machine type of the database"
  type        = string
  default     = "db-custom-1-3840"
}

variable "database_availability" {
  description = "ZONAL, or REGIONAL for a standby in another zone"
  type        = string
  default     = "ZONAL"

  validation {
    condition     = contains(["ZONAL", "REGIONAL"], var.database_availability)
    error_message = "database_availability must be ZONAL or REGIONAL."
  }
}
