variable "region" {
  description = "Region, such as eu-central-1"
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

variable "vpc_id" {
  description = "Network of everything"
  type        = string
}

variable "vpc_cidr" {
  description = "Addresses of the network, such as 10.0.0.0/16"
  type        = string
}

variable "private_subnet_ids" {
  description = "Subnets of the ground and the database, in two zones, with a way out to the internet"
  type        = list(string)
}

variable "public_subnet_ids" {
  description = "Subnets of the load balancer, in two zones"
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Who may connect"
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "certificate_arn" {
  description = "Certificate of the address that robots and people use"
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

variable "database_class" {
  description = "Instance class of the database"
  type        = string
  default     = "db.t4g.small"
}

variable "database_standby" {
  description = "Whether the database has a standby in another zone"
  type        = bool
  default     = false
}
