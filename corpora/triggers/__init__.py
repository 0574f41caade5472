"""What makes a known webhook act on a pod: labels, annotations, service account, namespace, image.

A webhook that is never triggered answers every pod with "nothing to change" and looks compatible.
A trigger is what is added to a pod so that the webhook does its work. The catalogue is the YAML
beside these modules; users add files of their own in the same words.
"""
